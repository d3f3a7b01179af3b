// @ts-check
// The room's page: asks for a name, joins, and hands the room to its parts.
// In the console, `peerlab.room` and `peerlab.recorder` are there to look at.
import { Recorder } from '../inspect/recorder.js';
import { Room } from '../net/room.js';
import { Banner } from './banner.js';
import { chat } from './chat.js';
import { Unread } from './context.js';
import { must, say } from './dom.js';
import { files } from './files.js';
import { Histories } from './history.js';
import { inspector } from './inspector.js';
import { cleanName, inventedName, rememberName, rememberedName } from './names.js';
import { ending } from './over.js';
import { people } from './people.js';
import { Selection } from './selection.js';
import { share } from './share.js';
import { shortcuts, showSection } from './shortcuts.js';

/** @typedef {import('../inspect/explain.js').PathChoice} PathChoice */
/** @typedef {import('../net/room.js').RoomError} RoomError */

const main = must('main', HTMLElement);
const path = must('path', HTMLSelectElement);
const banner = new Banner();
/** How long, without a room, an interrupted connection may take to come back by itself, in milliseconds. */
const patience = 15_000;
/** @type {Record<string, string>} */
const signalingWords = { new: '', connecting: 'connecting', open: 'connected', reconnecting: 'reconnecting', closed: 'closed' };

/** @param {string} name */
function enter(name) {
  const asked = new URLSearchParams(location.search).get('path');
  if (asked && [...path.options].some((o) => o.value === asked)) path.value = asked;
  const recorder = new Recorder({ id: new Date().toISOString() });
  const url = new URL(`/rooms/${encodeURIComponent(main.dataset.room ?? '')}/ws`, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const room = new Room({ url: url.href, name, path: /** @type {PathChoice} */ (path.value), recorder });
  Object.assign(window, { peerlab: { room, recorder } });

  const announce = (/** @type {string} */ words) => say(must('announce', HTMLElement), words);
  const context = { room, recorder, selection: new Selection(room), histories: new Histories(), unread: new Unread(), announce, notice: banner.pass.bind(banner) };
  main.dataset.phase = 'in';
  people(context);
  chat(context);
  files(context);
  inspector(context);
  shortcuts(context, share(context));
  frame(context, name);
  room.join();
}

/** What surrounds the panels: the header, the banner, the end. @param {import('./context.js').Context} context @param {string} name */
function frame({ room, selection, unread, announce }, name) {
  const chip = must('signaling', HTMLElement), leave = must('leave', HTMLButtonElement), rename = must('rename', HTMLButtonElement);
  const over = ending(room);
  const title = document.title;
  let before = room.state;
  /** why the server let us go, while we stay without it @type {{code: string, message: string}|null} */
  let last = null;
  let waiting = 0;

  function draw() {
    // Where the name was taken the server has numbered it.
    say(must('my-name', HTMLElement), room.self?.name ?? name);
    chip.dataset.state = room.state;
    say(chip, signalingWords[room.state] ?? room.state);
    if (room.state !== before) {
      if (room.state === 'reconnecting') {
        banner.hold('The server cannot be reached; trying again. What is connected between you and the others goes on.', 'warn');
      } else if (room.state === 'open') banner.release();
      before = room.state;
    }
    if (alive(room)) waiting = clearTimeout(waiting) ?? 0;
    else if (last && !waiting) waiting = window.setTimeout(() => last && over(last.code, last.message), patience);
    for (const spot of document.querySelectorAll('[data-target]')) {
      spot.textContent = spot.closest('#inspect') ? (selection.link ? `you and ${selection.link.peer.name}` : '') : `to ${selection.words}`;
    }
    document.title = unread.total ? `(${unread.total}) ${title}` : title;
  }

  leave.hidden = rename.hidden = false;
  leave.addEventListener('click', () => { room.leave(); over('left'); });
  rename.addEventListener('click', () => {
    room.leave(); // a name holds as long as a stay: this is another one
    rememberName('');
    location.reload();
  });
  // Gone for good: without this the others would wait half a minute for us to come back.
  window.addEventListener('pagehide', () => room.leave());
  window.addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
  path.addEventListener('change', () => room.setPath(/** @type {PathChoice} */ (path.value)));
  room.addEventListener('error', (e) => {
    const { code, message, fatal } = /** @type {CustomEvent<RoomError>} */ (e).detail;
    if (fatal && code !== 'replaced' && alive(room)) {
      // A room that ended takes nothing from those who are connected already.
      last = { code, message };
      banner.hold('The server has let go of this room. What is connected between you goes on until you leave, but nobody new can come in.', 'warn');
    } else if (fatal) over(code, message);
    // What was on its way to somebody who has just left needs nobody's attention; the ladder has it.
    else if (code !== 'unknown-peer') banner.pass(message, 'bad');
  });
  room.addEventListener('link', (e) => announce(`${/** @type {CustomEvent<import('../net/link.js').Link>} */ (e).detail.peer.name} is here`));
  room.addEventListener('unlink', (e) => announce(`${/** @type {CustomEvent<import('../net/link.js').Link>} */ (e).detail.peer.name} has left`));
  for (const source of [room, selection, unread]) source.addEventListener('change', draw);
  for (const button of document.querySelectorAll('[data-show]')) {
    button.addEventListener('click', () => showSection(button.getAttribute('data-show') ?? 'chat'));
  }
  invite();
  draw();
}

/** Somebody can be spoken to. @param {Room} room */
function alive(room) { return [...room.links.values()].some((link) => link.state === 'connected'); }

function invite() {
  const button = document.getElementById('invite');
  if (!(button instanceof HTMLButtonElement)) return;
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      const answer = await fetch(`/rooms/${encodeURIComponent(main.dataset.room ?? '')}/invite`, { method: 'POST', headers: { Accept: 'application/json' } });
      if (!answer.ok) {
        const why = await answer.json().catch(() => ({}));
        banner.pass(why.message ?? `The server answered ${answer.status}.`, 'bad');
      } else banner.pass('The Go peer is on its way.');
    } catch {
      banner.pass('The server cannot be reached.', 'bad');
    }
    button.disabled = false;
  });
}

const form = must('entry', HTMLFormElement), field = must('name', HTMLInputElement);
form.addEventListener('submit', (e) => {
  e.preventDefault();
  const name = cleanName(field.value);
  if (!name) return field.focus();
  rememberName(name);
  enter(name);
});
const known = cleanName(rememberedName());
if (known) enter(known);
else {
  // Somebody may have been faster than this script.
  if (!field.value) {
    field.value = inventedName();
    field.select();
  }
  field.focus();
}
