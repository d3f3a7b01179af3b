// @ts-check
// The ladder of the chosen link, with its pause, its layers and its table.
import { detail } from '../view/detail.js';
import { Ladder } from '../view/ladder.js';
import { filter } from '../view/layers.js';
import { must, say, soon } from './dom.js';

/** @typedef {import('../net/link.js').Link} Link */
/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {import('./context.js').Context} Context */

/** @param {Context} context */
export function ladder({ recorder, selection }) {
  const box = must('ladder-detail', HTMLElement);
  const view = new Ladder(must('ladder', HTMLElement), (row) => detail(box, row?.event ?? null), new Map([['me', 'you']]));
  const pause = must('ladder-pause', HTMLButtonElement), asTable = must('ladder-table', HTMLInputElement);
  const count = must('ladder-count', HTMLElement);
  const layers = filter(must('layers', HTMLElement), () => { restart(); draw(); });
  let shownFor = '', relay = false;

  function restart() {
    const link = selection.link;
    shownFor = link?.peer.id ?? '';
    relay = recorder.events.some(mentionsRelay);
    const lanes = ['me', 'server', ...(relay ? ['relay'] : []), ...(link ? [link.peer.name] : [])];
    view.show({ lanes, peer: link?.peer.name ?? '', hidden: layers.hidden, events: recorder.events, empty: 'Nothing has happened yet.' });
  }

  const draw = soon(() => {
    if (shownFor !== (selection.link?.peer.id ?? '')) restart();
    view.draw();
    say(count, `${view.length} rows${recorder.dropped ? `, ${recorder.dropped} not kept` : ''}`);
  }, 100);

  function setPaused(/** @type {boolean} */ on) {
    view.paused = on;
    pause.setAttribute('aria-pressed', String(on));
    say(pause, on ? 'Go on' : 'Pause');
    draw();
  }

  recorder.addEventListener('event', (e) => {
    const event = /** @type {CustomEvent<Event>} */ (e).detail;
    if (event.kind !== 'sample') layers.know(event.layer ?? 'app');
    if (!relay && mentionsRelay(event)) restart();
    else view.push(event);
    draw();
  });
  pause.addEventListener('click', () => setPaused(!view.paused));
  asTable.addEventListener('change', () => view.asTable(asTable.checked));
  must('view-ladder', HTMLElement).addEventListener('keydown', (e) => {
    if (e.key !== ' ' || e.target !== must('ladder', HTMLElement)) return;
    e.preventDefault();
    setPaused(!view.paused);
  });
  for (const event of recorder.events) if (event.kind !== 'sample') layers.know(event.layer ?? 'app');
  restart();
  return { draw };
}

/** @param {Event} event */
function mentionsRelay(event) { return event.from === 'relay' || event.to === 'relay'; }
