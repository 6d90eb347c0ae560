/* Tajo: the page of a product that is sold out asks who wishes to be told when it is back.
   Texts: data-label, -button, -thanks, -failed, on this tag or on an element with
   data-tajo-back-in-stock, where the form then appears. */
(function () {
  'use strict';
  var script = document.currentScript;
  var product = document.querySelector('form[data-cart-item-add] [name="product_id"], [data-tajo-product]');
  if (!script || !product) return;
  var id = product.value || product.getAttribute('data-tajo-product');
  var place = document.querySelector('[data-tajo-back-in-stock]');
  var cart = document.querySelector('form[data-cart-item-add]');
  var button = document.getElementById('form-action-addToCart');
  var endpoint = new URL('v1/back-in-stock', script.src).href;

  function text(name, fallback) {
    return (place && place.dataset[name]) || script.dataset[name] || fallback;
  }

  // The page tells it of the product, the button of the variant that was chosen.
  function soldOut() {
    if (button && button.getClientRects().length) return button.disabled;
    return [].some.call(document.querySelectorAll('[type="application/ld+json"]'), function (data) {
      return data.textContent.indexOf('schema.org/OutOfStock') > 0;
    });
  }

  // The variant that was chosen; 0: any.
  function variant() {
    if (!cart || !cart.querySelector('[name^="attribute["]')) return Promise.resolve(0);
    return fetch('/remote/v1/product-attributes/' + id, {
      method: 'POST',
      headers: { 'stencil-config': '{}', 'stencil-options': '{}', 'x-requested-with': 'stencil-utils' },
      body: new URLSearchParams(new FormData(cart)),
    }).then(function (answer) { return answer.json(); })
      .then(function (answer) { return answer.data.v3_variant_id || 0; })
      .catch(function () { return 0; });
  }

  var form = document.createElement('form');
  form.className = 'tajo-back-in-stock';
  form.hidden = true;
  form.innerHTML = '<style>.tajo-back-in-stock{margin:1em 0;color:inherit}' +
    '.tajo-back-in-stock label{display:block;margin-bottom:.4em}' +
    '.tajo-back-in-stock input,.tajo-back-in-stock button{font:inherit;color:inherit;padding:.6em .8em;' +
    'background:transparent;border:1px solid currentColor;border-radius:4px;max-width:100%}' +
    '.tajo-back-in-stock button{cursor:pointer;margin:.3em}' +
    '@media(prefers-reduced-motion:no-preference){.tajo-back-in-stock button{transition:opacity .2s}}' +
    '.tajo-back-in-stock [disabled]{opacity:.5}</style>' +
    '<label for="tajo-email"></label>' +
    '<input id="tajo-email" name="email" type="email" required maxlength="254" autocomplete="email">' +
    '<input name="website" autocomplete="off" style="display:none">' +
    '<button></button><p role="status"></p>';
  var send = form.querySelector('button'), said = form.querySelector('p');
  form.querySelector('label').textContent = text('label', 'Tell me when it is back in stock');
  send.textContent = text('button', 'Tell me');

  form.addEventListener('submit', function (event) {
    event.preventDefault();
    send.disabled = true;
    said.textContent = '';
    variant().then(function (chosen) {
      return fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          product_id: id, variant_id: chosen, email: form.email.value, website: form.website.value,
        }),
      });
    }).then(function (answer) {
      if (!answer.ok) throw new Error();
      said.textContent = text('thanks', 'Thank you. We will write to you.');
      form.email.value = '';
    }).catch(function () {
      said.textContent = text('failed', 'That did not work. Please try again later.');
    }).then(function () { send.disabled = false; });
  });

  if (place) place.appendChild(form);
  else (cart || product).insertAdjacentElement('afterend', form);
  function show() { form.hidden = !soldOut(); }
  show();
  if (button) new MutationObserver(show).observe(button, { attributes: true, attributeFilter: ['disabled'] });
})();
