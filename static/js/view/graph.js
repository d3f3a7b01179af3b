// @ts-check
// The people of a room as nodes, and what joins them as lines: dotted to the
// server that introduces them, solid where a path is direct, dashed through the
// relay, red and crossed where it failed. The list of people beside it says the
// same in words, so the drawing itself is one image to a screen reader.
import { onWidth, set, svg, unit } from './svg.js';
import { ms, rate } from '../page/format.js';

/**
 * @typedef {object} GraphPeer
 * @property {string} id
 * @property {string} name
 * @property {'browser'|'go'} kind
 * @property {string} state of the link
 * @property {string} path
 * @property {boolean} away
 * @property {boolean} selected
 * @property {number|null} rtt milliseconds
 * @property {number} up bytes a second
 * @property {number} down
 */
/** @typedef {{me: string, server: string, peers: GraphPeer[]}} GraphModel */
/** @typedef {{x: number, y: number}} Point */

/** Bytes a second below which a line is quiet: checks and pings alone make about a third of it. */
const flowing = 4000;

const empty = /** @type {GraphModel} */ ({ me: '', server: 'new', peers: [] });

export class Graph {
  #root = svg('svg', { role: 'img' });
  #lines = svg('g');
  #tags = svg('g');
  #nodes = svg('g');
  #server = house('server');
  #relay = house('relay');
  #me = person();
  /** where somebody will be */
  #ghost = person();
  /** @type {Map<string, {node: ReturnType<typeof person>, line: ReturnType<typeof line>}>} */
  #drawn = new Map();
  /** @type {GraphModel} */
  #model = empty;
  #container;
  #choose;

  /** @param {HTMLElement} container @param {(id: string) => void} choose a click on a peer */
  constructor(container, choose) {
    this.#container = container;
    this.#choose = choose;
    this.#me.g.classList.add('me');
    this.#root.append(this.#lines, this.#server.g, this.#relay.g, this.#tags, this.#nodes);
    this.#ghost.g.classList.add('ghost');
    this.#nodes.append(this.#me.g, this.#ghost.g);
    container.append(this.#root);
    onWidth(container, () => this.draw(this.#model));
  }

  /** @param {GraphModel} model */
  draw(model) {
    this.#model = model;
    const k = unit();
    const width = Math.max(280, this.#container.clientWidth);
    const place = layout(width, model.peers, k);
    set(this.#root, { width, height: place.height, viewBox: `0 0 ${width} ${place.height}`, 'aria-label': inWords(model) });

    this.#server.at(place.server, k);
    this.#relay.g.style.display = model.peers.some(relayed) ? '' : 'none';
    this.#relay.at(place.relay, k);
    this.#me.at(place.me, k, { name: model.me || 'you', note: 'you', kind: 'browser' });
    const alone = model.peers.length === 0 && model.me !== '';
    this.#ghost.g.style.display = alone ? '' : 'none';
    if (alone) this.#ghost.at({ x: width - place.me.x, y: place.me.y }, k, { name: '', note: 'not here yet', kind: 'ghost' });
    this.#signals(model, place, k);
    this.#peers(model, place, k);
  }

  /** @param {GraphModel} model @param {Place} place @param {number} k */
  #signals(model, place, k) {
    const ends = model.server === 'closed' ? [] : [place.me];
    // More than one would be a web that hides what matters.
    if (model.peers.length === 1) model.peers.forEach((peer, i) => { if (!peer.away) ends.push(place.peers[i]); });
    const d = ends.map((p) => {
      const side = p.x < place.server.x ? -1 : 1;
      const top = { x: p.x, y: p.y - 30 * k };
      return `M${top.x} ${top.y}Q${top.x} ${place.server.y} ${place.server.x + side * 40 * k} ${place.server.y}`;
    }).join('');
    let path = this.#lines.querySelector('.signal');
    if (!path) this.#lines.prepend(path = svg('path', { class: 'signal' }));
    set(path, { d, 'data-state': model.server });
  }

  /** @param {GraphModel} model @param {Place} place @param {number} k */
  #peers(model, place, k) {
    const here = new Set(model.peers.map((p) => p.id));
    for (const [id, { node, line }] of this.#drawn) {
      if (here.has(id)) continue;
      node.g.remove();
      line.g.remove();
      line.tag.remove();
      this.#drawn.delete(id);
    }
    model.peers.forEach((peer, i) => {
      let drawn = this.#drawn.get(peer.id);
      if (!drawn) {
        drawn = { node: person(), line: line() };
        drawn.node.g.addEventListener('click', () => this.#choose(peer.id));
        drawn.line.g.addEventListener('click', () => this.#choose(peer.id));
        drawn.line.tag.addEventListener('click', () => this.#choose(peer.id));
        this.#nodes.append(drawn.node.g);
        this.#lines.append(drawn.line.g);
        this.#tags.append(drawn.line.tag);
        this.#drawn.set(peer.id, drawn);
      }
      set(drawn.node.g, { 'data-state': peer.state, 'data-selected': String(peer.selected) });
      drawn.node.at(place.peers[i], k, { name: peer.name, note: peer.away ? 'away' : '', kind: peer.kind });
      drawn.line.between(place, i, peer, k);
    });
  }
}

/** @param {GraphPeer} peer */
function relayed(peer) { return peer.path === 'relayed' && peer.state !== 'failed'; }

/**
 * @typedef {object} Place where everything stands
 * @property {number} height
 * @property {Point} server
 * @property {Point} relay
 * @property {Point} me
 * @property {Point[]} peers
 */
/** @param {number} width @param {GraphPeer[]} peers @param {number} k @returns {Place} */
function layout(width, peers, k) {
  const margin = Math.min(Math.max(width * 0.15, 60 * k), 130 * k);
  const step = 108 * k;
  const rows = Math.max(1, peers.length);
  const top = (rows === 1 ? 158 : 96) * k;
  const middle = top + ((rows - 1) * step) / 2;
  return {
    height: top + (rows - 1) * step + 84 * k,
    server: { x: width / 2, y: 26 * k },
    relay: { x: width / 2, y: (rows === 1 ? 92 : 84) * k },
    me: { x: margin, y: middle },
    peers: peers.map((_, i) => ({ x: width - margin, y: top + i * step })),
  };
}

/** A fixed thing with a name: the server, the relay. @param {string} name */
function house(name) {
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

function person() {
  const ring = svg('circle', { class: 'ring' });
  const disc = svg('circle', { class: 'disc' });
  const face = svg('text', { class: 'face', 'text-anchor': 'middle', 'dominant-baseline': 'central' });
  const name = svg('text', { class: 'name', 'text-anchor': 'middle' });
  const note = svg('text', { class: 'note', 'text-anchor': 'middle' });
  const g = svg('g', { class: 'person' }, ring, disc, face, name, note);
  return {
    g,
    /** @param {Point} p @param {number} k @param {{name: string, note: string, kind: string}} who */
    at(p, k, who) {
      set(ring, { cx: p.x, cy: p.y, r: 32 * k });
      set(disc, { cx: p.x, cy: p.y, r: 26 * k });
      set(face, p);
      set(name, { x: p.x, y: p.y + 49 * k });
      set(note, { x: p.x, y: p.y + 65 * k });
      say(face, who.kind === 'ghost' ? '?' : who.kind === 'go' ? 'Go' : initials(who.name));
      say(name, clip(who.name, 16));
      say(note, who.note);
    },
  };
}

/** What joins me and a peer, with its figures on it. */
function line() {
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

/** @param {string} text @param {number} most */
function clip(text, most) { return text.length > most ? text.slice(0, most - 1) + '…' : text; }

/** @param {GraphModel} model */
function inWords(model) {
  if (model.peers.length === 0) return 'You are alone in the room.';
  return 'You and ' + model.peers.map((p) => `${p.name} (${p.state}, ${p.path}${p.rtt === null ? '' : ', ' + ms(p.rtt)})`).join(', ');
}
