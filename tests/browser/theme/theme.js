// What themes like BigCommerce's do on the page of a product, as far as anybody else can notice.
window.addEventListener('DOMContentLoaded', () => {
  const form = document.querySelector('form[data-cart-item-add]');
  if (!form) return;
  const button = document.getElementById('form-action-addToCart');
  const wrapper = document.getElementById('add-to-cart-wrapper');
  const ask = (path) => fetch(path, {
    method: 'POST',
    headers: { 'x-requested-with': 'stencil-utils', 'x-xsrf-token': BCData.csrf_token },
    body: new URLSearchParams(new FormData(form)),
  }).then((answer) => answer.json());

  form.querySelector('[data-product-option-change]').addEventListener('change', async () => {
    const { data } = await ask(`/remote/v1/product-attributes/${form.product_id.value}`);
    button.disabled = !data.purchasable || !data.instock;
    if (data.purchasable) wrapper.style.display = '';
    document.querySelector('.alertBox').textContent = data.stock_message;
  });

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const usual = button.value;
    button.value = button.dataset.waitMessage;
    button.disabled = true;
    const { quantity } = await ask('/remote/v1/cart/add');
    button.value = usual;
    button.disabled = false;
    document.querySelector('.cart-count').textContent = quantity;
  });
});
