// @ts-check
// Whom the panels are about: one peer, or everyone. Two peers need no choice,
// so with one other person it is always that one.

/** @typedef {import('../net/room.js').Room} Room */
/** @typedef {import('../net/link.js').Link} Link */

/** Fires 'change' when the answer of target, targets or link may be another. */
export class Selection extends EventTarget {
  #room;
  /** @type {string|null} a peer's id; null is everyone */
  #chosen = null;

  /** @param {Room} room */
  constructor(room) {
    super();
    this.#room = room;
    room.addEventListener('link', () => this.#changed());
    room.addEventListener('unlink', () => this.#changed());
  }

  /** all links, in the order people came @returns {Link[]} */
  get links() { return [...this.#room.links.values()].sort((a, b) => a.peer.order - b.peer.order); }

  /** the one peer that is spoken to, null when it is everyone @returns {Link|null} */
  get target() {
    const { links } = this;
    if (links.length === 1) return links[0];
    return links.find((link) => link.peer.id === this.#chosen) ?? null;
  }

  /** who gets a message or a file @returns {Link[]} */
  get targets() { return this.target ? [this.target] : this.links; }

  /** the link the inspector shows: the chosen one, else the first @returns {Link|null} */
  get link() { return this.target ?? this.links[0] ?? null; }

  /** in words, for 'to …' @returns {string} */
  get words() {
    if (this.target) return this.target.peer.name;
    return this.links.length === 0 ? 'nobody yet' : 'everyone';
  }

  /** @param {string|null} id */
  choose(id) {
    if (id === this.#chosen) return;
    this.#chosen = id;
    this.#changed();
  }

  #changed() { this.dispatchEvent(new CustomEvent('change')); }
}
