/* Tajo: the page of a product that is sold out asks who wishes to be told when it is back.
   Texts: data-label, -button, -thanks, -wrong, -failed, on this tag or on an element with
   data-tajo-back-in-stock, where the form then appears. */
(() => {
  'use strict';
  const script = document.currentScript;
  const find = (selector) => document.querySelector(selector);
  const product = find('form[data-cart-item-add] [name="product_id"], [data-tajo-product]');
  if (!script || !product) return;
  const id = product.value || product.dataset.tajoProduct;
  const place = find('[data-tajo-back-in-stock]');
  const cart = find('form[data-cart-item-add]');
  const button = find('#form-action-addToCart');
  const shop = window.BCData || {};
  const text = (name, fallback) => place?.dataset[name] || script.dataset[name] || fallback;
  let form, adding = false;

  // The button tells it of the variant that was chosen, the page of its product.
  function soldOut() {
    if (button?.getClientRects().length) return button.disabled && !adding;
    const inStock = shop.product_attributes?.instock;
    if (inStock !== undefined) return !inStock;
    return [...document.querySelectorAll('[type="application/ld+json"]')]
      .some((data) => /schema\.org\\?\/OutOfStock/.test(data.textContent));
  }

  // The variant that was chosen; 0: any.
  async function variant() {
    if (!cart?.querySelector('[name^="attribute["]')) return 0;
    try {
      const answer = await fetch('/remote/v1/product-attributes/' + id, {
        method: 'POST',
        headers: {
          'stencil-config': '{}', 'stencil-options': '{}',
          'x-requested-with': 'stencil-utils', 'x-xsrf-token': shop.csrf_token || '',
        },
        body: new URLSearchParams(new FormData(cart)),
      });
      return (await answer.json()).data.v3_variant_id || 0;
    } catch { return 0; }
  }

  // Neither markup nor style attributes: a page with a strict policy refuses them.
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...children);
    return element;
  }

  // What holds it together beats the theme; how it looks is the theme's, where that says anything.
  function dress() {
    if (!CSSStyleSheet.prototype.replaceSync) return; // a browser of before 2023 does without
    const sheet = new CSSStyleSheet();
    sheet.replaceSync((
      '&{margin:1em 0}& div{display:flex;flex-wrap:wrap;gap:.5em}& p{margin:.5em 0 0}& p:empty{margin:0}' +
      '& input{flex:1 1 12em;min-width:0;margin:0}& button{flex:none;width:auto;margin:0}' +
      '& [aria-disabled=true]{opacity:.5}:where(&) label{display:block;margin-bottom:.4em}' +
      ':where(&) input,:where(&) button{font:inherit;color:inherit;background:none;padding:.6em .8em;' +
      'border:1px solid;border-radius:4px}:where(&) button{cursor:pointer}' +
      ':where(&) input::placeholder{color:inherit;opacity:.7}'
    ).replaceAll('&', '.tajo-back-in-stock'));
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  }

  function build() {
    dress();
    const email = make('input', {
      id: 'tajo-email', name: 'email', class: 'form-input', type: 'email', required: '', maxlength: 254,
      autocomplete: 'email', placeholder: 'name@example.com', 'aria-describedby': 'tajo-said',
    });
    const trap = make('input', { name: 'website', autocomplete: 'off' });
    trap.style.display = 'none';
    const send = make('button', { class: 'button button--primary' }, text('button', 'Tell me'));
    const said = make('p', { id: 'tajo-said', role: 'status' });
    const label = make('label', { class: 'form-label', for: 'tajo-email' },
      text('label', 'E-mail me when it is back in stock'));
    const built = make('form', { class: 'tajo-back-in-stock' },
      label, make('div', {}, email, trap, send), said);
    let sending = false;

    function tell(words, wrong) {
      said.textContent = words;
      email.setAttribute('aria-invalid', wrong);
      if (wrong) email.focus();
    }

    built.addEventListener('submit', async (event) => {
      event.preventDefault();
      event.stopPropagation(); // it may stand within the form of the cart
      if (sending) return;
      sending = true;
      send.setAttribute('aria-disabled', true); // disabled, it would lose the focus
      tell('', false);
      try {
        const { ok, status } = await fetch(new URL('v1/back-in-stock', script.src), {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            product_id: id, variant_id: await variant(), email: email.value, website: trap.value,
          }),
        });
        if (ok) {
          tell(text('thanks', 'Thank you. We will write to you.'), false);
          email.value = '';
        } else if (status === 400) {
          tell(text('wrong', 'Please check the address.'), true);
        } else throw new Error();
      } catch {
        tell(text('failed', 'That did not work. Please try again later.'), false);
      }
      sending = false;
      send.removeAttribute('aria-disabled');
    });
    cart?.addEventListener('change', () => tell('', false)); // another variant is another wish
    return built;
  }

  function show() {
    if (!soldOut()) { form?.remove(); return; }
    form ||= build();
    if (form.isConnected) return;
    if (place) place.append(form); else (cart || product).after(form);
  }

  show();
  if (!button) return;
  // The button is disabled, too, while the shop puts something into the cart.
  cart?.addEventListener('submit', (event) => { adding = event.target === cart; }, true);
  new MutationObserver(() => {
    adding &&= button.disabled;
    show();
  }).observe(button, { attributes: true, attributeFilter: ['disabled'] });
  new ResizeObserver(show).observe(button); // it may appear, or go
})();
