// @ts-check
// The ladder of the chosen link, with its pause, its layers and its table.
import { Ladder, time } from '../view/ladder.js';
import { el, must, say, soon } from './dom.js';

/** @typedef {import('../net/link.js').Link} Link */
/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {import('./context.js').Context} Context */

/** @param {Context} context */
export function ladder({ recorder, selection }) {
  const view = new Ladder(must('ladder', HTMLElement), detail);
  const pause = must('ladder-pause', HTMLButtonElement), asTable = must('ladder-table', HTMLInputElement);
  const count = must('ladder-count', HTMLElement), layers = must('layers', HTMLElement);
  /** @type {Set<string>} */
  const hidden = new Set();
  /** @type {Set<string>} */
  const known = new Set();
  let shownFor = '', relay = false;

  function restart() {
    const link = selection.link;
    shownFor = link?.peer.id ?? '';
    relay = recorder.events.some(mentionsRelay);
    const lanes = ['me', 'server', ...(relay ? ['relay'] : []), ...(link ? [link.peer.name] : [])];
    view.show({ lanes, peer: link?.peer.name ?? '', hidden, events: recorder.events, empty: 'Nothing has happened yet.' });
  }

  const draw = soon(() => {
    if (shownFor !== (selection.link?.peer.id ?? '')) restart();
    view.draw();
    say(count, `${view.length} rows${recorder.dropped ? `, ${recorder.dropped} not kept` : ''}`);
  }, 100);

  /** @param {string|undefined} layer */
  function know(layer = 'app') {
    if (known.has(layer)) return;
    known.add(layer);
    const box = el('input', { type: 'checkbox' });
    box.checked = true;
    box.addEventListener('change', () => {
      if (box.checked) hidden.delete(layer);
      else hidden.add(layer);
      restart();
      draw();
    });
    layers.append(el('label', { class: 'layer', 'data-layer': layer }, box, el('span', {}, layer)));
  }

  function setPaused(/** @type {boolean} */ on) {
    view.paused = on;
    pause.setAttribute('aria-pressed', String(on));
    say(pause, on ? 'Go on' : 'Pause');
    draw();
  }

  recorder.addEventListener('event', (e) => {
    const event = /** @type {CustomEvent<Event>} */ (e).detail;
    if (event.kind !== 'sample') know(event.layer);
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
  for (const event of recorder.events) if (event.kind !== 'sample') know(event.layer);
  restart();
  return { draw };
}

/** @param {Event} event */
function mentionsRelay(event) { return event.from === 'relay' || event.to === 'relay'; }

/** What a row has no room for: when, from whom to whom, and all it carried. @param {import('../view/rows.js').Row|null} row */
function detail(row) {
  const box = must('ladder-detail', HTMLElement), event = row?.event;
  box.hidden = !event;
  if (!row || !event) return box.replaceChildren();
  const to = event.to && event.to !== event.from ? ` → ${event.to}` : '';
  const attrs = Object.entries(event.attrs ?? {}).map(([key, value]) => el('div', {}, el('dt', {}, key), el('dd', {}, value)));
  box.replaceChildren(
    el('p', { class: 'detail-head', 'data-layer': row.layer }, el('strong', {}, row.layer), ` ${event.name ?? event.kind}, ${event.from ?? 'me'}${to}, at ${time(row.at)}`),
    ...(event.text ? [el('pre', { tabindex: '0' }, event.text)] : []),
    ...(attrs.length ? [el('dl', { class: 'facts' }, ...attrs)] : []));
}
