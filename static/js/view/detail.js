// @ts-check
// All that one event carried: what a row has no room for.
import { el } from '../page/dom.js';
import { time } from './ladder-marks.js';
import { dump } from './packets.js';
import { quantity } from './quantity.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

/** Names under which an event may carry bytes, in hexadecimal. */
const bytesOf = ['hex', 'bytes'];

/** @param {HTMLElement} box @param {Event|null} event null: nothing to show */
export function detail(box, event) {
  box.hidden = !event;
  if (!event) return box.replaceChildren();
  const layer = event.layer ?? 'app', to = event.to && event.to !== event.from ? ` → ${event.to}` : '';
  const attrs = Object.entries(event.attrs ?? {});
  const bytes = attrs.filter(([key, value]) => bytesOf.includes(key) && dump(value) !== '');
  const facts = attrs.filter(([key]) => !bytes.some(([k]) => k === key));
  if (event.lost) facts.unshift(['arrived', 'no, it was lost']);
  else if (event.took_ns) facts.unshift(['arrived after', time(event.took_ns / 1e6)]);
  if (event.kind === 'fact' || event.kind === 'sample') facts.unshift(['value', quantity(event.value ?? 0, event.unit ?? '')]);
  box.replaceChildren(
    el('p', { class: 'detail-head', 'data-layer': layer }, el('strong', {}, layer), ` ${event.name || event.kind}, ${event.from || 'me'}${to}, at ${time(event.at_ns / 1e6)}`),
    ...(event.text ? [el('pre', { tabindex: '0' }, event.text)] : []),
    ...(facts.length ? [el('dl', { class: 'facts' }, ...facts.map(([key, value]) => el('div', {}, el('dt', {}, key), el('dd', {}, value))))] : []),
    ...bytes.map(([, value]) => el('pre', { class: 'bytes', tabindex: '0' }, dump(value))));
}
