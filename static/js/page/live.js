// @ts-check
// Keeps the parts of a page marked data-live up to date: fetches the page again
// while somebody looks at it, and takes over what is different. So the server
// has the only template, and a page without script is merely older.

const every = 2000;

/**
 * Makes `have` look like `want`, touching only what differs, so that focus and
 * selection survive.
 * @param {Element} have @param {Element} want
 */
function adopt(have, want) {
  if (have.isEqualNode(want)) return;
  const same = have.nodeName === want.nodeName && have.childElementCount === want.childElementCount;
  if (!same || want.childElementCount === 0 || [...want.childNodes].some(isWords)) {
    const focused = have.contains(document.activeElement);
    const fresh = document.importNode(want, true);
    have.replaceWith(fresh);
    if (focused) /** @type {HTMLElement|null} */ (fresh.matches('button, a') ? fresh : fresh.querySelector('button, a'))?.focus();
    return;
  }
  for (const { name, value } of want.attributes) have.setAttribute(name, value);
  for (const { name } of [...have.attributes]) if (!want.hasAttribute(name)) have.removeAttribute(name);
  const theirs = [...want.children];
  [...have.children].forEach((child, i) => adopt(child, theirs[i]));
}

/** @param {Node} node */
function isWords(node) {
  return node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== '';
}

async function refresh() {
  const answer = await fetch(location.pathname, { headers: { Accept: 'text/html' }, cache: 'no-store' });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  for (const region of document.querySelectorAll('[data-live]')) {
    const name = region.getAttribute('data-live');
    const want = fresh.querySelector(`[data-live="${name}"]`);
    if (want) adopt(region, want);
  }
}

async function loop() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, every));
    if (document.hidden) await visible();
    // A server that is away is normal here; the next round asks again.
    const there = await refresh().then(() => true, () => false);
    document.documentElement.toggleAttribute('data-stale', !there);
  }
}

function visible() {
  return new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
}

loop();
