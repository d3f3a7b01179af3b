// @ts-check
// The way in for others: the link, its copy button, the QR code. In view while
// you are alone, a button away afterwards.
import { copyButtons } from './copy.js';
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
  copyButtons(panel, (done) => announce(done ? 'The link is copied' : 'The link is selected'));
  for (const kind of ['link', 'unlink', 'change']) room.addEventListener(kind, draw);
  draw();
  return { toggle: () => toggle.click() };
}
