// @ts-check
// A name to begin with, for who has not chosen one.

const first = ['Amber', 'Azure', 'Brisk', 'Calm', 'Copper', 'Coral', 'Gentle', 'Golden', 'Jade', 'Lucid', 'Misty', 'Nimble', 'Quiet', 'Silver', 'Swift', 'Umber'];
const second = ['Badger', 'Crane', 'Dolphin', 'Falcon', 'Finch', 'Gecko', 'Heron', 'Ibex', 'Lark', 'Lynx', 'Marten', 'Otter', 'Plover', 'Raven', 'Tern', 'Wren'];
const key = 'peerlab-name';

export function inventedName() {
  const [a, b] = crypto.getRandomValues(new Uint8Array(2));
  return `${first[a % first.length]} ${second[b % second.length]}`;
}

/** The name used last in this browser, or ''. Storage may be forbidden; then nothing is remembered. */
export function rememberedName() {
  try { return localStorage.getItem(key) ?? ''; } catch { return ''; }
}

/** @param {string} name '' forgets */
export function rememberName(name) {
  try {
    if (name) localStorage.setItem(key, name);
    else localStorage.removeItem(key);
  } catch { /* forbidden: see above */ }
}

/** What the server takes as a name: 1 to 64 characters, none of them a control. @param {string} text */
export function cleanName(text) {
  return [...text.replace(/\p{Cc}/gu, ' ').trim()].slice(0, 64).join('').trim();
}
