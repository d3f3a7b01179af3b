// @ts-check
// The people of a room as nodes, and what joins them as lines: dotted to the
// server that introduces them, solid where a path is direct, dashed through the
// relay, red and crossed where it failed. The list of people beside it says the
// same in words, so the drawing itself is one image to a screen reader.
import { house, line, person, relayed } from './graph-marks.js';
import { onWidth, set, svg, unit } from './svg.js';
import { ms } from '../page/format.js';

/**
 * @typedef {object} GraphPeer
 * @property {string} id
 * @property {string} name
 * @property {'browser'|'go'} kind
 * @property {string} state of the link
 * @property {string} path
 * @property {boolean} away
 * @property {string} nat of a NAT a few words, or none
 * @property {boolean} selected
 * @property {number|null} rtt milliseconds
 * @property {number} up bytes a second
 * @property {number} down
 */
/** @typedef {{me: string, nat: string, server: string, peers: GraphPeer[]}} GraphModel */
/** @typedef {{x: number, y: number}} Point */

const empty = /** @type {GraphModel} */ ({ me: '', nat: '', server: 'new', peers: [] });

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
    this.#me.at(place.me, k, place.room, { name: model.me || 'you', note: 'you', nat: model.nat, kind: 'browser' });
    const alone = model.peers.length === 0 && model.me !== '';
    this.#ghost.g.style.display = alone ? '' : 'none';
    if (alone) this.#ghost.at({ x: width - place.me.x, y: place.me.y }, k, place.room, { name: 'not here yet', note: '', nat: '', kind: 'ghost' });
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
      drawn.node.at(place.peers[i], k, place.room, { name: peer.name, note: peer.away ? 'away' : '', nat: place.crowded || (peer.away && place.peers.length > 1) ? '' : peer.nat, kind: peer.kind });
      drawn.line.between(place, i, peer, k);
    });
  }
}

/**
 * @typedef {object} Place where everything stands
 * @property {number} height
 * @property {Point} server
 * @property {Point} relay
 * @property {Point} me
 * @property {Point[]} peers
 * @property {number} room for a name, in pixels
 * @property {boolean} crowded there is room under a name for nothing
 */
/** @param {number} width @param {GraphPeer[]} peers @param {number} k @returns {Place} */
function layout(width, peers, k) {
  const margin = Math.min(Math.max(width * 0.15, 60 * k), 130 * k);
  const rows = Math.max(1, peers.length);
  const step = (rows > 4 ? 88 : 108) * k;
  const top = (rows === 1 ? 158 : 96) * k;
  const middle = top + ((rows - 1) * step) / 2;
  return {
    height: top + (rows - 1) * step + (rows > 1 ? 84 : 96) * k,
    server: { x: width / 2, y: 26 * k },
    relay: { x: width / 2, y: (rows === 1 ? 92 : 84) * k },
    me: { x: margin, y: middle },
    peers: peers.map((_, i) => ({ x: width - margin, y: top + i * step })),
    room: 2 * margin - 8 * k,
    crowded: rows > 4,
  };
}

/** @param {GraphModel} model */
function inWords(model) {
  if (model.peers.length === 0) return 'You are alone in the room.';
  return 'You and ' + model.peers.map((p) => `${p.name} (${p.state}, ${p.path}${p.rtt === null ? '' : ', ' + ms(p.rtt)})`).join(', ');
}
