// @ts-check
// One key each for what moves through a run, when no field has the focus.
import { el } from './dom.js';
import { typing } from './shortcuts.js';

/** @type {[string[], string][]} */
const words = [
  [['Space'], 'stop drawing, and go on'],
  [[',', '.'], 'one event back, one on'],
  [['l'], 'to the end, and follow what is live'],
  [['1', '…', '6'], 'choose a view'],
  [['+', '-', '0'], 'closer, farther, as at first'],
  [['←', '→'], 'earlier, later, where a stretch of time is shown'],
  [['↑', '↓'], 'from row to row, in the drawing'],
  [['?'], 'this list'],
];

/**
 * @param {HTMLElement} root where the dialog goes
 * @param {{toggle: () => void, step: (by: number) => void, live: () => void, tab: (n: number) => void, key: (key: string) => boolean}} acts
 * @returns {() => void} opens the list of keys
 */
export function shortcutsDialog(root, acts) {
  const dialog = el('dialog', { class: 'dialog', 'aria-label': 'Keyboard' }, el('h2', {}, 'Keyboard'),
    el('dl', { class: 'keys' }, ...words.map(([keys, what]) => el('div', {}, el('dt', {}, ...keys.flatMap((k) => [el('kbd', {}, k), ' '])), el('dd', {}, what)))),
    el('form', { method: 'dialog' }, el('button', { class: 'button' }, 'Close')));
  root.append(dialog);
  const help = () => dialog.showModal();
  /** @param {KeyboardEvent} e */
  const press = (e) => {
    if (!root.isConnected) return document.removeEventListener('keydown', press); // another run has its place
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || dialog.open || typing(e.target)) return;
    const on = e.target instanceof Element ? e.target : document.body;
    // A focused control has its own use for these.
    const control = on.matches('button, a, summary, input, [role="tab"]');
    const digit = Number(e.key);
    if (e.key === ' ') {
      if (control) return;
      acts.toggle();
    } else if (e.key === ',' || e.key === '.') acts.step(e.key === ',' ? -1 : 1);
    else if (e.key === 'l') acts.live();
    else if (e.key === '?') help();
    else if (digit >= 1 && digit <= 6) acts.tab(digit - 1);
    else if (control && e.key.startsWith('Arrow') || !acts.key(e.key)) return;
    e.preventDefault();
  };
  document.addEventListener('keydown', press);
  return help;
}
