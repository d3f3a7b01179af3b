// @ts-check
// The way in for others: the link, its copy button, the QR code. In view while
// you are alone, a button away afterwards.
import { must, say } from './dom.js';

/** @typedef {import('./context.js').Context} Context */

/** @param {Context} context */
export function share({ room, announce }) {
  const panel = must('share', HTMLElement), toggle = must('share-toggle', HTMLButtonElement);
  const title = must('share-title', HTMLElement);
  let asked = false;

  function draw() {
    const alone = room.links.size === 0;
    panel.hidden = !alone && !asked;
    toggle.hidden = alone || room.state === 'closed';
    toggle.setAttribute('aria-expanded', String(!panel.hidden));
    say(title, alone ? 'You are alone here' : 'Bring somebody in');
    must('main', HTMLElement).dataset.alone = String(alone);
  }

  toggle.addEventListener('click', () => {
    asked = !asked;
    draw();
  });
  panel.addEventListener('click', async (e) => {
    const button = e.target instanceof Element ? e.target.closest('[data-copy]') : null;
    if (!(button instanceof HTMLElement)) return;
    const words = button.querySelector('span');
    const done = await copy(button.dataset.copy ?? '', button.previousElementSibling);
    if (words) {
      say(words, done ? 'Copied' : 'Select it');
      setTimeout(() => say(words, 'Copy'), 2000);
    }
    announce(done ? 'The link is copied' : 'The link is selected');
  });
  for (const kind of ['link', 'unlink', 'change']) room.addEventListener(kind, draw);
  draw();
  return { toggle: () => toggle.click() };
}

/**
 * The clipboard needs https or localhost; elsewhere the field is selected and
 * the old way tried.
 * @param {string} text @param {Element|null} field @returns {Promise<boolean>}
 */
async function copy(text, field) {
  if (navigator.clipboard) {
    const done = await navigator.clipboard.writeText(text).then(() => true, () => false);
    if (done) return true;
  }
  if (!(field instanceof HTMLInputElement)) return false;
  field.select();
  return document.execCommand('copy');
}
