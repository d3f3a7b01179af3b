// @ts-check
// What the graph of a room is drawn from: houses, people, and the lines between.
import { set, svg } from './svg.js';
import { ms, rate } from '../page/format.js';

/** @typedef {import('./graph.js').GraphPeer} GraphPeer */
/** @typedef {import('./graph.js').Place} Place */
/** @typedef {import('./graph.js').Point} Point */

/** Bytes a second below which a line is quiet: checks and pings alone make about a third of it. */
const flowing = 4000;

/** @param {GraphPeer} peer */
export function relayed(peer) { return peer.path === 'relayed' && peer.state !== 'failed'; }

/** A fixed thing with a name: the server, the relay. @param {string} name */
export function house(name) {
  const box = svg('rect');
  const text = svg('text', { 'text-anchor': 'middle', 'dominant-baseline': 'central' }, name);
  const g = svg('g', { class: `house ${name}` }, box, text);
  return {
    g,
    /** @param {Point} p @param {number} k */
    at(p, k) {
      set(box, { x: p.x - 40 * k, y: p.y - 15 * k, width: 80 * k, height: 30 * k, rx: (name === 'relay' ? 15 : 8) * k });
      set(text, p);
    },
  };
}

/** Somebody: a disc with initials, the name under it. */
export function person() {
  const ring = svg('circle', { class: 'ring' });
  const disc = svg('circle', { class: 'disc' });
  const face = svg('text', { class: 'face', 'text-anchor': 'middle', 'dominant-baseline': 'central' });
  const name = svg('text', { class: 'name', 'text-anchor': 'middle' });
  const note = svg('text', { class: 'note', 'text-anchor': 'middle' });
  const nat = svg('text', { class: 'note nat', 'text-anchor': 'middle' });
  const g = svg('g', { class: 'person' }, ring, disc, face, name, note, nat);
  return {
    g,
    /** @param {Point} p @param {number} k @param {number} room @param {{name: string, note: string, nat: string, kind: string}} who */
    at(p, k, room, who) {
      set(ring, { cx: p.x, cy: p.y, r: 32 * k });
      set(disc, { cx: p.x, cy: p.y, r: 26 * k });
      set(face, p);
      set(name, { x: p.x, y: p.y + 49 * k });
      set(note, { x: p.x, y: p.y + 65 * k });
      set(nat, { x: p.x, y: p.y + (who.note ? 80 : 65) * k });
      say(face, who.kind === 'ghost' ? '?' : who.kind === 'go' ? 'Go' : initials(who.name));
      fit(name, who.name, Math.min(room, 180 * k));
      say(note, who.note);
      fit(nat, who.nat, Math.min(room, 180 * k));
    },
  };
}

/** What joins me and a peer, with its figures on it. */
export function line() {
  const wide = svg('path', { class: 'catch' });
  const path = svg('path', { class: 'line' });
  const flow = svg('path', { class: 'flow' });
  const cross = svg('path', { class: 'cross' });
  const back = svg('rect', { class: 'tag-back' });
  const text = svg('text', { class: 'tag', 'text-anchor': 'middle', 'dominant-baseline': 'central' });
  const g = svg('g', { class: 'link' }, wide, path, flow, cross);
  const tag = svg('g', { class: 'link-tag' }, back, text);
  return {
    g,
    tag,
    /** @param {Place} place @param {number} i @param {GraphPeer} peer @param {number} k */
    between(place, i, peer, k) {
      const d = way(place.me, place.peers[i], relayed(peer) ? place.relay : null, k);
      for (const p of [wide, path, flow]) set(p, { d });
      for (const part of [g, tag]) set(part, { 'data-state': peer.state, 'data-path': peer.path, 'data-selected': String(peer.selected) });
      set(flow, { 'data-flow': peer.up + peer.down < flowing ? 'none' : peer.up >= peer.down ? 'out' : 'in' });
      const to = place.peers[i], alone = place.peers.length === 1;
      const fork = alone ? 0.25 : 0.4;
      set(cross, { d: peer.state === 'failed' ? crossAt(along(place.me, to, fork), 8 * k) : '' });
      const reach = to.x - place.me.x, words = figures(peer);
      // Among several on a narrow screen there is room for one figure; the list has the others.
      const size = fill(text, !alone && reach < 480 * k ? words.slice(0, 1) : words, reach * (alone ? 1 : 0.5) - 64 * k, k);
      // On a line of its own in the middle; among several at the end, where each has its row.
      let spot = { x: to.x - 38 * k - size.width / 2, y: to.y };
      if (alone) spot = relayed(peer) ? { x: place.relay.x, y: place.relay.y + 19 * k + size.height / 2 } : along(place.me, to, 0.5);
      text.setAttribute('transform', `translate(${spot.x} ${spot.y})`);
      set(back, { x: spot.x - size.width / 2, y: spot.y - size.height / 2, width: size.width, height: size.height, rx: 12 * k });
    },
  };
}

/**
 * Writes the figures in one row if they fit, else one below the other, around 0,0.
 * @param {SVGTextElement} text @param {string[]} parts @param {number} room @param {number} k
 */
function fill(text, parts, room, k) {
  const write = (/** @type {string[]} */ rows) => {
    const before = [...text.children].map((c) => c.textContent);
    if (before.length !== rows.length) text.replaceChildren(...rows.map(() => svg('tspan', { x: 0 })));
    rows.forEach((row, i) => {
      say(text.children[i], row);
      set(text.children[i], { y: (i - (rows.length - 1) / 2) * 16 * k });
    });
    return { width: text.getBBox().width + 20 * k, height: (8 + 16 * rows.length) * k };
  };
  const size = write([parts.join(' \u00a0')]);
  return size.width <= room || parts.length === 1 ? size : write(parts);
}

/** @param {Point} a @param {Point} b @param {Point|null} via @param {number} k */
function way(a, b, via, k) {
  const from = { x: a.x + 26 * k, y: a.y }, to = { x: b.x - 26 * k, y: b.y };
  if (!via) return bend(from, to);
  return bend(from, { x: via.x - 40 * k, y: via.y }) + bend({ x: via.x + 40 * k, y: via.y }, to);
}

/** @param {Point} a @param {Point} b */
function bend(a, b) {
  const dx = (b.x - a.x) / 2;
  return `M${a.x} ${a.y}C${a.x + dx} ${a.y} ${b.x - dx} ${b.y} ${b.x} ${b.y}`;
}

/** The point of a bend at t. @param {Point} a @param {Point} b @param {number} t @returns {Point} */
function along(a, b, t) {
  const ease = 3 * t * t - 2 * t * t * t;
  const x = 1.5 * t * (1 - t) + t * t * t; // control points half way
  return { x: a.x + (b.x - a.x) * x, y: a.y + (b.y - a.y) * ease };
}

/** @param {Point} p @param {number} r */
function crossAt(p, r) {
  return `M${p.x - r} ${p.y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`;
}

/** @param {GraphPeer} peer @returns {string[]} */
function figures(peer) {
  switch (peer.state) {
    case 'failed': return ['no path'];
    case 'interrupted': return ['interrupted'];
    case 'connected': break;
    default: return ['connecting'];
  }
  const parts = [];
  if (peer.rtt !== null) parts.push(ms(peer.rtt));
  if (peer.up >= flowing) parts.push(`↑ ${rate(peer.up)}`);
  if (peer.down >= flowing) parts.push(`↓ ${rate(peer.down)}`);
  return parts.length ? parts : [peer.path];
}

/** @param {Element} text @param {string} words */
function say(text, words) { if (text.textContent !== words) text.textContent = words; }

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]].map((w) => [...w][0]) : [...(words[0] ?? '')].slice(0, 2);
  return letters.join('').toUpperCase();
}

/** As much of a name as there is room for. @param {SVGTextElement} text @param {string} name @param {number} room pixels */
function fit(text, name, room) {
  const key = `${Math.round(room)} ${name}`;
  if (text.dataset.fitted === key) return;
  text.dataset.fitted = key;
  const letters = [...name];
  say(text, name);
  for (let n = letters.length; n > 1 && text.getComputedTextLength() > room;) say(text, letters.slice(0, --n).join('') + '…');
}
