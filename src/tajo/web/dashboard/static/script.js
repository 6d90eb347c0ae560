// Keeps pages fresh. Without it they work as well, and stand still.
"use strict";

const reload = { running: false, soonest: 0 };

// Parts marked `data-live` (seconds) are taken anew from the page itself, all with one request.
async function freshen() {
  const parts = [...document.querySelectorAll("[data-live]")];
  if (!parts.length || document.hidden || reload.running || Date.now() < reload.soonest) return;
  reload.running = true;
  const said = document.getElementById("fresh");
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.redirected) return location.reload(); // the session is over
    if (!answer.ok) throw new Error(answer.status); // a proxy answers while the server is away
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts) {
      const next = page.getElementById(part.id);
      if (next && !busy(part)) swap(part, next);
    }
    if (said) said.textContent = "";
  } catch {
    if (said) said.textContent = "The server does not answer; what you see may be old.";
  } finally {
    reload.running = false;
    const pace = Math.min(...[...document.querySelectorAll("[data-live]")].map((part) => Number(part.dataset.live)));
    reload.soonest = Date.now() + pace * 1000;
  }
}

// Whoever types, chooses or reads an opened detail is left alone.
function busy(part) {
  const here = document.activeElement;
  return part.querySelector("details[open]") || (part.contains(here) && here.matches("input, select, textarea"));
}

function swap(part, next) {
  if (part.innerHTML === next.innerHTML && part.dataset.live === next.dataset.live) return;
  const here = document.activeElement;
  const place = part.contains(here) ? [...part.querySelectorAll("a, button")].indexOf(here) : -1;
  const wide = part.scrollTop;
  part.replaceChildren(...next.childNodes);
  if (next.dataset.live) part.dataset.live = next.dataset.live;
  else delete part.dataset.live;
  part.scrollTop = wide;
  if (place >= 0) part.querySelectorAll("a, button")[place]?.focus({ preventScroll: true });
}

// The journal: one line for each event.
function follow(journal, from = journal.dataset.events) {
  const list = journal.firstElementChild;
  const state = document.getElementById("live-state");
  const events = new EventSource(from);
  let last = from;
  events.onopen = () => { state.textContent = "It is live."; };
  events.onerror = async () => {
    state.textContent = "The connection is lost; it is tried again.";
    if (events.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    await new Promise((done) => setTimeout(done, 5000));
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (answer?.redirected) location.reload(); // the session is over
    else follow(journal, last);
  };
  events.addEventListener("line", (event) => {
    last = from.replace(/after=\d+/, `after=${event.lastEventId}`);
    const line = JSON.parse(event.data);
    const at = new Date(line.at);
    const item = make("li", `new ${line.level}`);
    const time = make("time", "", at.toISOString().slice(11, 19));
    time.dateTime = at.toISOString();
    const words = make("span", "words");
    if (line.level === "error") words.append(make("strong", "human", "needs a human:"), " ");
    if (line.level === "warning") words.append(make("strong", "behind", "later:"), " ");
    words.append(line.words);
    item.append(time, " ", make("span", "who", line.connector), " ", words);
    list.prepend(item);
    document.getElementById("journal-empty").hidden = true;
    while (list.children.length > 300) list.lastChild.remove();
  });
  addEventListener("pagehide", () => events.close());
}

function make(tag, kind, text = "") {
  const element = document.createElement(tag);
  element.className = kind;
  element.textContent = text;
  return element;
}

for (const choice of document.querySelectorAll("select[data-submit]"))
  choice.addEventListener("change", () => choice.form.submit());

for (const every of document.querySelectorAll("input[data-every]")) {
  every.hidden = false;
  every.addEventListener("change", () => {
    for (const one of every.form.querySelectorAll(`input[name="${every.dataset.every}"]`)) one.checked = every.checked;
  });
}

for (const copy of document.querySelectorAll("button[data-copy]")) {
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
    copy.textContent = "Copied";
  });
}

// A form is sent once. The button is disabled after its value has been taken along.
addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  setTimeout(() => { if (event.submitter) event.submitter.disabled = true; });
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

const journal = document.querySelector("[data-events]");
if (journal) follow(journal);
setInterval(freshen, 500);
reload.soonest = Date.now() + 1000 * Math.min(...[...document.querySelectorAll("[data-live]")].map((part) => Number(part.dataset.live)));
