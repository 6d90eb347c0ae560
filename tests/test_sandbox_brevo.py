"""What the simulated Brevo does with contacts, lists, attributes and imports: a readable specification.

Time stands still unless a test moves it, so nothing here waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tajo.sandbox.brevo import Faults, ManualClock, create_app


class Brevo:
    """A fresh simulated account with a client in front of it."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        options = {"tier": "unlimited", "clock": self.clock, **options}
        self.app = create_app(**options)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://brevo.test/v3",
            headers={"api-key": self.app.state.account.api_key},
        )

    async def __call__(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        return await self.client.request(method, path, json=body, params=query or None)

    async def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self.client.request(method, f"http://brevo.test/_sandbox/{path}", json=body)

    async def contact(self, email: str) -> dict[str, Any]:
        response = await self("GET", f"/contacts/{email.replace('@', '%40')}", identifierType="email_id")
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def imported(self, rows: list[dict[str, Any]] | None = None, **options: Any) -> dict[str, Any]:
        """Import rows into list 2 and wait for the end; the finished process."""
        source = {} if rows is None else {"jsonBody": rows}
        response = await self("POST", "/contacts/import", {"listIds": [2], **source, **options})
        assert response.status_code == 202, response.text
        await self.clock.advance(60)
        return dict((await self("GET", f"/processes/{response.json()['processId']}")).json())


@pytest.fixture
async def brevo() -> AsyncIterator[Brevo]:
    made = Brevo()
    yield made
    await made.client.aclose()
    await made.app.state.account.agenda.close()


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), response.text
    return dict(body)


class TestTheDoor:
    async def test_a_key_is_needed_and_must_be_known(self, brevo: Brevo) -> None:
        nobody = await brevo.client.get("/account", headers={"api-key": ""})
        assert nobody.status_code == 401
        assert nobody.json() == {"message": "authentication not found in headers", "code": "unauthorized"}
        refused(await brevo.client.get("/account", headers={"api-key": "xkeysib-x"}), 401, "unauthorized")

    async def test_a_bearer_token_opens_too(self, brevo: Brevo) -> None:
        key = brevo.app.state.account.api_key
        answer = await brevo.client.get("/account", headers={"api-key": "", "authorization": f"Bearer {key}"})
        assert answer.status_code == 200

    async def test_the_key_can_be_revoked(self, brevo: Brevo) -> None:
        await brevo.control("POST", "key", {"valid": False})
        refused(await brevo("GET", "/account"), 401, "unauthorized")

    @pytest.mark.parametrize("request_line", ["GET /nothing", "PUT /products/1", "PATCH /contacts/1"])
    async def test_unknown_routes_and_wrong_methods_are_404(self, brevo: Brevo, request_line: str) -> None:
        method, path = request_line.split()
        body = refused(await brevo(method, path, {}), 404, "not_found")
        assert body["message"] == "Invalid route/method passed"

    async def test_what_is_not_json_is_a_bad_request(self, brevo: Brevo) -> None:
        refused(await brevo.client.post("/contacts", content=b"{email"), 400, "bad_request")

    async def test_the_batch_update_is_gone(self, brevo: Brevo) -> None:
        assert (await brevo("POST", "/contacts/batch", {"contacts": []})).status_code == 410


class TestOneContact:
    async def test_create_answers_201_and_upsert_204_without_a_body(self, brevo: Brevo) -> None:
        assert (await brevo("POST", "/contacts", {"email": "Ada@Example.com"})).json() == {"id": 1}
        again = await brevo("POST", "/contacts", {"email": "ada@example.com", "updateEnabled": True})
        assert (again.status_code, again.content) == (204, b"")
        assert (await brevo.contact("ADA@example.com"))["email"] == "ada@example.com"

    async def test_without_update_enabled_a_known_address_is_refused(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "ada@example.com"})
        body = refused(
            await brevo("POST", "/contacts", {"email": "ADA@example.com"}), 400, "invalid_parameter"
        )
        assert body["metadata"] == {"duplicate_identifiers": ["email"]}
        assert body["message"] == "Unable to create contact, email is already associated with another Contact"

    @pytest.mark.parametrize(
        ("identifier", "named"),
        [
            ({"ext_id": "7"}, "ext_id"),
            ({"attributes": {"SMS": "0033612345678"}}, "SMS"),
            ({"attributes": {"WHATSAPP": "33612345678"}}, "WHATSAPP"),
            ({"attributes": {"LANDLINE_NUMBER": "+33112345678"}}, "LANDLINE_NUMBER"),
        ],
    )
    async def test_every_identifier_is_unique(
        self, brevo: Brevo, identifier: dict[str, Any], named: str
    ) -> None:
        assert (await brevo("POST", "/contacts", {"email": "a@example.com", **identifier})).status_code == 201
        for request in (("POST", "/contacts"), ("PUT", "/contacts/2")):
            await brevo("POST", "/contacts", {"email": "b@example.com"})
            answer = await brevo(*request, {"email": "b@example.com", "updateEnabled": True, **identifier})
            assert refused(answer, 400, "invalid_parameter")["metadata"] == {"duplicate_identifiers": [named]}

    async def test_some_identifier_is_needed(self, brevo: Brevo) -> None:
        body = {"attributes": {"FIRSTNAME": "Ada"}}
        refused(await brevo("POST", "/contacts", body), 400, "missing_parameter")
        assert (await brevo("POST", "/contacts", {"ext_id": "1"})).status_code == 201
        assert (await brevo("POST", "/contacts", {"attributes": {"SMS": "+33612345678"}})).status_code == 201

    async def test_identifiers_are_addressed_by_their_type(self, brevo: Brevo) -> None:
        body = {"email": "a/b+c@example.com", "ext_id": "x 1", "attributes": {"SMS": "+33612345678"}}
        await brevo("POST", "/contacts", body)
        for identifier, kind in [
            ("a%2Fb%2Bc%40example.com", "email_id"),
            ("x%201", "ext_id"),
            ("%2B33612345678", "phone_id"),
            ("1", "contact_id"),
        ]:
            answer = await brevo("GET", f"/contacts/{identifier}", identifierType=kind)
            assert answer.json()["id"] == 1, kind
        refused(await brevo("GET", "/contacts/1", identifierType="name"), 400, "invalid_parameter")
        refused(await brevo("PUT", "/contacts/nobody%40example.com", {}), 404, "document_not_found")

    async def test_force_merge_keeps_the_one_modified_last(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "old@example.com", "attributes": {"LASTNAME": "Old"}})
        await brevo.clock.advance(1)
        await brevo("POST", "/contacts", {"email": "new@example.com", "ext_id": "9"})
        body = {"email": "old@example.com", "ext_id": "9", "forceMerge": True, "updateEnabled": True}
        merged = await brevo("POST", "/contacts", {**body, "getId": True})
        assert merged.json() == {"id": 2}
        assert (await brevo("GET", "/contacts")).json()["count"] == 1
        assert (await brevo.contact("old@example.com"))["attributes"] == {"EXT_ID": "9", "LASTNAME": "Old"}

    async def test_delete_forgets(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "ada@example.com"})
        assert (await brevo("DELETE", "/contacts/1")).status_code == 204
        refused(await brevo("DELETE", "/contacts/1"), 404, "document_not_found")
        assert (await brevo("POST", "/contacts", {"email": "ada@example.com"})).json() == {"id": 2}


class TestBlocklists:
    async def test_flags_have_three_states(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "ada@example.com", "emailBlacklisted": True})
        await brevo("PUT", "/contacts/1", {"attributes": {"FIRSTNAME": "Ada"}})
        assert (await brevo.contact("ada@example.com"))["emailBlacklisted"] is True
        await brevo("PUT", "/contacts/1", {"emailBlacklisted": False})
        assert (await brevo.contact("ada@example.com"))["emailBlacklisted"] is False
        refused(await brevo("PUT", "/contacts/1", {"smsBlacklisted": "yes"}), 400, "invalid_parameter")

    async def test_a_new_address_resubscribes(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "ada@example.com", "emailBlacklisted": True})
        await brevo("PUT", "/contacts/1", {"attributes": {"EMAIL": "lovelace@example.com"}})
        assert (await brevo.contact("lovelace@example.com"))["emailBlacklisted"] is False

    async def test_unless_the_same_request_says_otherwise(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "ada@example.com", "emailBlacklisted": True})
        body = {"attributes": {"EMAIL": "lovelace@example.com"}, "emailBlacklisted": True}
        await brevo("PUT", "/contacts/1", body)
        assert (await brevo.contact("lovelace@example.com"))["emailBlacklisted"] is True


class TestAttributes:
    async def test_a_fresh_account_speaks_its_language(self) -> None:
        for language, names in (("en", {"FIRSTNAME", "LASTNAME"}), ("fr", {"PRENOM", "NOM"})):
            listed = (await Brevo(language=language)("GET", "/contacts/attributes")).json()["attributes"]
            known = {attribute["name"] for attribute in listed}
            assert names | {"SMS", "EXT_ID", "WHATSAPP", "LANDLINE_NUMBER", "JOB_TITLE"} <= known

    async def test_types_belong_to_categories(self, brevo: Brevo) -> None:
        refused(await brevo("POST", "/contacts/attributes/normal/A", {}), 400, "missing_parameter")
        for path, body in [
            ("normal/A", {"type": "id"}),
            ("transactional/A", {"type": "multiple-choice", "multiCategoryOptions": ["x"]}),
            ("odd/A", {"type": "text"}),
            ("normal/FIRSTNAME", {"type": "text"}),
            ("normal/email", {"type": "text"}),
        ]:
            refused(await brevo("POST", f"/contacts/attributes/{path}", body), 400, "invalid_parameter")
        long = {"enumeration": [{"value": 1, "label": "x" * 201}]}
        refused(await brevo("POST", "/contacts/attributes/category/A", long), 400, "out_of_range")

    async def test_names_become_upper_case_and_the_type_never_changes(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts/attributes/normal/orders", {"type": "float"})
        listed = (await brevo("GET", "/contacts/attributes")).json()["attributes"]
        assert {"name": "ORDERS", "category": "normal", "type": "float"} in listed
        answer = await brevo("PUT", "/contacts/attributes/normal/ORDERS", {"type": "text"})
        refused(answer, 400, "invalid_parameter")

    async def test_values_that_do_not_fit_are_ignored(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts/attributes/normal/ORDERS", {"type": "float"})
        await brevo("POST", "/contacts/attributes/normal/VIP", {"type": "boolean"})
        await brevo(
            "POST", "/contacts/attributes/category/LEVEL", {"enumeration": [{"value": 1, "label": "gold"}]}
        )
        good = {"ORDERS": 3, "VIP": True, "LEVEL": "gold", "FIRSTNAME": "Ada"}
        await brevo("POST", "/contacts", {"email": "a@example.com", "attributes": good})
        bad = {
            "ORDERS": "4",
            "VIP": "false",
            "LEVEL": "lead",
            "FIRSTNAME": 5,
            "UNKNOWN": "x",
            "firstname": "x",
        }
        assert (await brevo("PUT", "/contacts/1", {"attributes": bad})).status_code == 204
        kept = (await brevo.contact("a@example.com"))["attributes"]
        assert kept == {"ORDERS": 3, "VIP": True, "LEVEL": 1, "FIRSTNAME": "Ada"}

    @pytest.mark.parametrize("value", ["02/11/1989", "1989-13-01", "1989-11-23T00:00:00Z"])
    async def test_a_date_of_another_format_refuses_the_contact(self, brevo: Brevo, value: str) -> None:
        await brevo("POST", "/contacts/attributes/normal/BORN", {"type": "date"})
        answer = await brevo("POST", "/contacts", {"email": "a@example.com", "attributes": {"BORN": value}})
        assert refused(answer, 400, "invalid_parameter")["message"] == "invalid date format"
        assert (await brevo("GET", "/contacts")).json()["count"] == 0

    @pytest.mark.parametrize("number", ["0612345678", "+33 6 12 34 56 78", "call me", "+1555", "+2101234567"])
    async def test_an_invalid_phone_refuses_the_contact(self, brevo: Brevo, number: str) -> None:
        body = {"email": "a@example.com", "attributes": {"SMS": number}}
        refused(await brevo("POST", "/contacts", body), 400, "invalid_parameter")

    async def test_an_empty_text_clears_and_null_does_nothing(self, brevo: Brevo) -> None:
        attributes = {"FIRSTNAME": "Ada", "LASTNAME": "Lovelace", "SMS": "+33612345678"}
        await brevo("POST", "/contacts", {"email": "a@example.com", "attributes": attributes})
        await brevo("PUT", "/contacts/1", {"attributes": {"FIRSTNAME": "", "LASTNAME": None, "SMS": ""}})
        assert (await brevo.contact("a@example.com"))["attributes"] == {"LASTNAME": "Lovelace"}

    async def test_transactional_attributes_without_a_key_break_creation(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts/attributes/transactional/ORDER_DATE", {"type": "date"})
        answer = await brevo("POST", "/contacts", {"email": "a@example.com"})
        assert "Transactional attribute" in refused(answer, 400, "invalid_parameter")["message"]


class TestLists:
    async def test_a_list_needs_a_name_and_a_folder(self, brevo: Brevo) -> None:
        refused(await brevo("POST", "/contacts/lists", {"name": "A"}), 400, "missing_parameter")
        refused(
            await brevo("POST", "/contacts/lists", {"name": "A", "folderId": 9}), 400, "invalid_parameter"
        )
        assert (await brevo("POST", "/contacts/lists", {"name": "A", "folderId": 1})).json() == {"id": 3}

    async def test_list_ids_only_add_and_unlink_removes(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts/lists", {"name": "A", "folderId": 1})
        await brevo("POST", "/contacts", {"email": "a@example.com", "listIds": [2]})
        await brevo("PUT", "/contacts/1", {"listIds": [3]})
        assert (await brevo.contact("a@example.com"))["listIds"] == [2, 3]
        await brevo("PUT", "/contacts/1", {"unlinkListIds": [2]})
        assert (await brevo.contact("a@example.com"))["listIds"] == [3]
        assert (await brevo("GET", "/contacts/lists/3")).json()["uniqueSubscribers"] == 1
        refused(await brevo("PUT", "/contacts/1", {"listIds": [99]}), 400, "invalid_parameter")

    async def test_adding_reports_who_failed_and_refuses_when_all_do(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "a@example.com", "ext_id": "1"})
        path = "/contacts/lists/2/contacts/add"
        answer = await brevo("POST", path, {"emails": ["A@example.com", "b@example.com"]})
        assert answer.status_code == 201
        assert answer.json() == {"contacts": {"success": ["A@example.com"], "failure": ["b@example.com"]}}
        body = refused(await brevo("POST", path, {"extIds": ["1"]}), 400, "invalid_parameter")
        assert body["message"] == "Contact already in list and/or does not exist"
        refused(await brevo("POST", path, {"ids": list(range(151))}), 400, "out_of_range")
        refused(await brevo("POST", path, {"ids": [1], "extIds": ["1"]}), 400, "invalid_parameter")

    async def test_a_deleted_folder_takes_its_lists_but_no_contacts(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts", {"email": "a@example.com", "listIds": [2]})
        assert (await brevo("DELETE", "/contacts/folders/1")).status_code == 204
        assert (await brevo("GET", "/contacts/lists")).json() == {"lists": [], "count": 0}
        assert (await brevo.contact("a@example.com"))["listIds"] == []


class TestReading:
    async def test_pages_are_newest_first_and_bounded(self, brevo: Brevo) -> None:
        await brevo.control("POST", "contacts", [{"email": f"{n}@example.com"} for n in range(5)])
        page = (await brevo("GET", "/contacts", limit=2, offset=1)).json()
        assert [contact["id"] for contact in page["contacts"]] == [4, 3]
        assert page["count"] == 5
        first = (await brevo("GET", "/contacts", limit=2, sort="asc")).json()["contacts"]
        assert [contact["id"] for contact in first] == [1, 2]
        refused(await brevo("GET", "/contacts", limit=1001), 400, "out_of_range")
        refused(await brevo("GET", "/contacts/lists/2/contacts", limit=501), 400, "out_of_range")

    async def test_filters(self, brevo: Brevo) -> None:
        people = [
            {"email": "a@example.com", "attributes": {"FIRSTNAME": "Ada"}},
            {"email": "b@example.com", "listIds": [2]},
        ]
        await brevo.control("POST", "contacts", people)
        for query, ids in [
            ({"filter": 'equals(FIRSTNAME,"Ada")'}, [1]),
            ({"listIds": 2}, [2]),
            ({"ids": "1,2"}, [2, 1]),
            ({"modifiedSince": "2030-01-01T00:00:00.000Z"}, []),
        ]:
            listed = (await brevo("GET", "/contacts", **query)).json()
            assert [contact["id"] for contact in listed["contacts"]] == ids, query
        refused(await brevo("GET", "/contacts", filter="like(A,B)"), 400, "invalid_parameter")
        refused(await brevo("GET", "/contacts", modifiedSince="yesterday"), 400, "invalid_parameter")

    async def test_modified_since_sees_what_changed_after(self, brevo: Brevo) -> None:
        await brevo.control("POST", "contacts", [{"email": f"{n}@example.com"} for n in range(2)])
        before = (await brevo.contact("0@example.com"))["modifiedAt"]
        await brevo.clock.advance(1)
        await brevo("PUT", "/contacts/1", {"attributes": {"FIRSTNAME": "Zero"}})
        changed = (await brevo("GET", "/contacts", modifiedSince=before)).json()["contacts"]
        assert [contact["id"] for contact in changed] == [1]


class TestImport:
    async def test_it_is_applied_later(self, brevo: Brevo) -> None:
        body = {"listIds": [2], "jsonBody": [{"email": "a@example.com", "attributes": {"FIRSTNAME": "Ada"}}]}
        assert (await brevo("POST", "/contacts/import", body)).json() == {"processId": 1}
        await brevo.clock.advance(0.1)
        assert (await brevo("GET", "/processes/1")).json()["status"] == "processing"
        await brevo.clock.advance(0.3)
        done = (await brevo("GET", "/processes/1")).json()
        assert (done["name"], done["status"]) == ("IMPORTUSER", "completed")
        assert set(done["info"]["import"].values()) == {None}
        assert (await brevo.contact("a@example.com"))["listIds"] == [2]

    async def test_a_second_one_waits(self, brevo: Brevo) -> None:
        body = {"listIds": [2], "jsonBody": [{"email": "a@example.com"}]}
        for _ in range(2):
            await brevo("POST", "/contacts/import", body)
        await brevo.clock.advance(0.1)
        listed = (await brevo("GET", "/processes", sort="asc")).json()["processes"]
        assert [process["status"] for process in listed] == ["processing", "queued"]
        await brevo.clock.advance(0.7)
        listed = (await brevo("GET", "/processes")).json()["processes"]
        assert [process["status"] for process in listed] == ["completed", "completed"]

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"listIds": [2]}, "missing_parameter"),
            ({"listIds": [2], "jsonBody": [{"email": "a@b.co"}], "fileBody": "EMAIL"}, "invalid_parameter"),
            ({"jsonBody": [{"email": "a@b.co"}]}, "missing_parameter"),
            ({"jsonBody": [{"email": "a@b.co"}], "newList": {"listName": "x"}}, "invalid_parameter"),
            ({"jsonBody": [{"email": "a@b.co"}], "listIds": [9]}, "invalid_parameter"),
            ({"jsonBody": [], "listIds": [2]}, "invalid_parameter"),
            ({"jsonBody": ["a@b.co"], "listIds": [2]}, "invalid_parameter"),
        ],
    )
    async def test_a_bad_order_is_refused_at_once(
        self, brevo: Brevo, body: dict[str, Any], code: str
    ) -> None:
        refused(await brevo("POST", "/contacts/import", body), 400, code)

    async def test_ten_megabytes_are_the_limit(self, brevo: Brevo) -> None:
        body = {"listIds": [2], "fileBody": "EMAIL\n" + "a" * (10 * 1024 * 1024)}
        refused(await brevo("POST", "/contacts/import", body), 400, "out_of_range")

    async def test_silence_about_attributes(self, brevo: Brevo) -> None:
        """Unknown names and booleans of a jsonBody are not applied, and nothing says so."""
        await brevo("POST", "/contacts/attributes/normal/VIP", {"type": "boolean"})
        row = {"email": "a@example.com", "attributes": {"FIRSTNAME": "Ada", "VIP": True, "SHOE": "40"}}
        process = await brevo.imported([row])
        assert set(process["info"]["import"].values()) == {None}
        assert (await brevo.contact("a@example.com"))["attributes"] == {"FIRSTNAME": "Ada"}

    async def test_files_do_apply_booleans(self, brevo: Brevo) -> None:
        await brevo("POST", "/contacts/attributes/normal/VIP", {"type": "boolean"})
        await brevo.imported(fileBody="EMAIL;VIP;FIRSTNAME\na@example.com;true;Ada\n")
        assert (await brevo.contact("a@example.com"))["attributes"] == {"VIP": True, "FIRSTNAME": "Ada"}

    async def test_a_broken_file_fails_and_the_next_import_goes_on(self, brevo: Brevo) -> None:
        broken = await brevo.imported(fileBody="EMAIL\n" + "a" * 200_000)
        assert broken["status"] == "failed"
        assert (await brevo.imported([{"email": "a@example.com"}]))["status"] == "completed"

    async def test_dropped_rows(self, brevo: Brevo) -> None:
        """Bad e-mails are reported in a CSV; rows with a bad phone or date just vanish."""
        await brevo("POST", "/contacts/attributes/normal/BORN", {"type": "date"})
        process = await brevo.imported(
            [
                {"email": "not an address"},
                {"email": "phone@example.com", "attributes": {"SMS": "0612345678"}},
                {"email": "date@example.com", "attributes": {"BORN": "11/02/1989"}},
                {"email": "fine@example.com"},
            ]
        )
        report = await brevo.client.get(process["info"]["import"]["invalid_emails"])
        assert report.text.splitlines() == [
            "CONTACT_ID;EMAIL;EXT_ID;SMS;WHATSAPP;LANDLINE_NUMBER",
            ";not an address;;;;",
        ]
        assert (await brevo("GET", "/contacts")).json()["count"] == 1

    async def test_a_row_can_fuse_two_contacts(self, brevo: Brevo) -> None:
        phone = {"SMS": "+33612345678", "LASTNAME": "Lost"}
        people = [
            {"email": "ada@example.com", "ext_id": "1"},
            {"email": "bob@example.com", "attributes": phone, "emailBlacklisted": True, "listIds": [2]},
        ]
        await brevo.control("POST", "contacts", people)
        row = {"email": "ada@example.com", "ext_id": "1", "attributes": {"SMS": "33612345678"}}
        process = await brevo.imported([row])
        assert (await brevo("GET", "/contacts")).json()["count"] == 1
        ada = await brevo.contact("ada@example.com")
        assert ada["attributes"] == {"EXT_ID": "1", "SMS": "33612345678"}
        assert ada["emailBlacklisted"] is False, "the loser's history is lost"
        report = await brevo.client.get(process["info"]["import"]["duplicate_phone_id"])
        assert report.text.splitlines()[1] == "2;bob@example.com;;33612345678;;"

    async def test_a_shared_phone_readdresses_the_first_contact(self, brevo: Brevo) -> None:
        rows = [
            {"email": f"{name}@example.com", "attributes": {"SMS": "33612345678"}} for name in ("mum", "dad")
        ]
        process = await brevo.imported(rows)
        assert [line["email"] for line in (await brevo("GET", "/contacts")).json()["contacts"]] == [
            "dad@example.com"
        ]
        assert process["info"]["import"]["duplicate_phone_id"]

    async def test_switches(self, brevo: Brevo) -> None:
        attributes = {"FIRSTNAME": "Ada", "LASTNAME": "Lovelace"}
        await brevo("POST", "/contacts", {"email": "a@example.com", "attributes": attributes})
        row = {"email": "a@example.com", "attributes": {"FIRSTNAME": "", "LASTNAME": "Byron"}}
        await brevo.imported([row], updateExistingContacts=False)
        assert (await brevo.contact("a@example.com"))["attributes"] == attributes
        await brevo.imported([row])
        kept = (await brevo.contact("a@example.com"))["attributes"]
        assert kept == {"FIRSTNAME": "Ada", "LASTNAME": "Byron"}
        await brevo.imported([row], emptyContactsAttributes=True, emailBlacklist=True, smsBlacklist=True)
        contact = await brevo.contact("a@example.com")
        assert contact["attributes"] == {"LASTNAME": "Byron"}
        assert (contact["emailBlacklisted"], contact["smsBlacklisted"]) == (True, True)

    async def test_a_new_list_is_made_on_the_way(self, brevo: Brevo) -> None:
        new = {"listName": "Spring", "folderId": 1}
        await brevo.imported([{"email": "a@example.com"}], listIds=[], newList=new)
        assert (await brevo.contact("a@example.com"))["listIds"] == [3]

    async def test_the_owner_is_written_to_unless_told_not_to(self, brevo: Brevo) -> None:
        await brevo.imported([{"email": "a@example.com"}], disableNotification=True)
        assert (await brevo.control("GET", "messages")).text == ""
        await brevo.imported([{"email": "a@example.com"}])
        assert '"import_report"' in (await brevo.control("GET", "messages")).text

    async def test_it_may_fail_half_way(self) -> None:
        brevo = Brevo(faults=Faults(failed_import=1.0))
        process = await brevo.imported([{"email": f"{n}@example.com"} for n in range(10)])
        assert process["status"] == "failed"
        assert (await brevo("GET", "/contacts")).json()["count"] == 5

    async def test_rows_may_get_lost(self) -> None:
        brevo = Brevo(faults=Faults(seed=1, lost_row=0.5))
        process = await brevo.imported([{"email": f"{n}@example.com"} for n in range(20)])
        assert process["status"] == "completed"
        assert 0 < (await brevo("GET", "/contacts")).json()["count"] < 20
