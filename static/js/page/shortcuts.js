// @ts-check
// One key each, when no field has the focus. The dialog in the page lists them.
import { must } from './dom.js';

/** @param {import('./context.js').Context} context @param {{toggle: () => void}} share */
export function shortcuts({ selection }, share) {
  const dialog = must('shortcuts', HTMLDialogElement);
  const help = () => dialog.showModal();
  must('help', HTMLButtonElement).addEventListener('click', help);

  /** @type {Record<string, () => void>} */
  const keys = {
    '?': help,
    c: () => reveal('chat', must('chat-input', HTMLTextAreaElement)),
    f: () => must('file-input', HTMLInputElement).click(),
    i: () => reveal('inspect', /** @type {HTMLElement} */ (document.querySelector('#inspect [role="tab"][aria-selected="true"]'))),
    l: () => share.toggle(),
    0: () => selection.choose(null),
  };
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || dialog.open || typing(e.target)) return;
    const digit = Number(e.key);
    const peer = digit >= 1 ? selection.links[digit - 1] : undefined;
    const act = peer ? () => selection.choose(peer.peer.id) : keys[e.key];
    if (!act) return;
    e.preventDefault();
    act();
  });
}

/** Somebody is writing there. @param {EventTarget|null} target */
export function typing(target) {
  return target instanceof HTMLElement && target.matches('input:not([type="radio"], [type="checkbox"], [type="file"]), textarea, select');
}

/** Shows that part where only one fits, and goes there. @param {string} section @param {HTMLElement} element */
function reveal(section, element) {
  showSection(section);
  element.focus();
}

/** On a narrow screen one part of the room shows at a time. @param {string} name */
export function showSection(name) {
  must('main', HTMLElement).dataset.section = name;
  for (const button of document.querySelectorAll('[data-show]')) {
    button.setAttribute('aria-pressed', String(button.getAttribute('data-show') === name));
  }
}
