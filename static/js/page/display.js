// @ts-check
// Theme, size and motion. Each is a data attribute on <html> and a cookie, so
// that the server already sends the next page the way the visitor wants it.

const year = 365 * 24 * 3600;
const root = document.documentElement;
const form = document.querySelector('form[data-settings]');

/** @param {string} name @param {string} value */
function keep(name, value) {
  root.dataset[name] = value;
  document.cookie = `${name}=${value}; path=/; max-age=${value ? year : 0}; samesite=strict`;
}

form?.addEventListener('change', (event) => {
  const input = event.target;
  if (input instanceof HTMLInputElement) keep(input.name, input.value);
});
