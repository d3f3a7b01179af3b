// @ts-check
// What the rows of a ladder are drawn from.
import { svg } from './svg.js';

/** @typedef {import('./rows.js').Row} Row */
/** @typedef {{x: number, y: number}} Point */

/**
 * An arrow between two lanes; a lost one stops half way, at a cross. What was
 * sent before has a double shaft.
 * @param {Point} a @param {Point} b @param {Row} row @param {number} k
 */
export function arrow(a, b, row, k) {
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const dx = (b.x - a.x) / length, dy = (b.y - a.y) / length;
  const marks = [];
  const end = row.lost ? { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } : { x: b.x - dx * 8 * k, y: b.y - dy * 8 * k };
  const line = (/** @type {number} */ off) => `M${round(a.x - dy * off)} ${round(a.y + dx * off)}L${round(end.x - dy * off)} ${round(end.y + dx * off)}`;
  marks.push(svg('path', { class: row.lost ? 'shaft lost' : 'shaft', d: row.again ? line(1.7 * k) + line(-1.7 * k) : line(0) }));
  if (row.lost) {
    const r = 5 * k;
    marks.push(svg('path', { class: 'cross', d: `M${end.x - r} ${end.y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}` }));
  } else {
    const tip = { x: b.x - dx * 2 * k, y: b.y - dy * 2 * k }, back = 8 * k, half = 4 * k;
    marks.push(svg('path', { class: 'tip', d: `M${round(tip.x)} ${round(tip.y)}L${round(tip.x - dx * back - dy * half)} ${round(tip.y - dy * back + dx * half)}L${round(tip.x - dx * back + dy * half)} ${round(tip.y - dy * back - dx * half)}z` }));
  }
  return marks;
}

/** @param {number} n */
function round(n) { return Math.round(n * 10) / 10; }

/**
 * The layer in its colour, then the words, cut to the room there is.
 * @param {SVGGElement} g @param {Row} row @param {number} x @param {number} y @param {string} anchor @param {number} room @param {number} k
 */
export function label(g, row, x, y, anchor, room, k) {
  const letters = Math.max(6, Math.floor(room / (6.6 * k)) - row.layer.length - 1);
  const tag = svg('tspan', { class: 'layer-tag' }, layerText(row));
  g.append(svg('text', { class: row.lost || row.again ? 'label alarm' : 'label', x, y, 'text-anchor': anchor }, tag, ' ' + clip(row.text, letters)));
}

/** @param {Row} row */
export function layerText(row) { return row.kind === 'gap' || row.kind === 'note' ? '' : row.layer; }

/** @param {number} at milliseconds */
export function time(at) { return at < 100000 ? `${at.toFixed(at < 10000 ? 1 : 0)} ms` : `${(at / 1000).toFixed(1)} s`; }

/** @param {string} text @param {number} most */
export function clip(text, most) { return text.length > most ? text.slice(0, Math.max(1, most - 1)) + '…' : text; }
