// @ts-check
// Who is here: the drawing, and the same as a group of radio buttons that also
// chooses whom the panels are about.
import { badge as natBadge, inFull } from '../inspect/natwords.js';
import { Graph } from '../view/graph.js';
import { el, must, say, soon } from './dom.js';
import { ms, rate } from './format.js';

/** @typedef {import('../net/link.js').Link} Link */
/** @typedef {import('./context.js').Context} Context */

/** @param {Context} context */
export function people({ room, selection, unread }) {
  const graph = new Graph(must('graph', HTMLElement), (id) => selection.choose(id));
  const list = must('people', HTMLElement);
  /** @type {Map<string, ReturnType<typeof chip>>} */
  const chips = new Map();
  const everyone = chip('everyone', () => selection.choose(null));

  const draw = soon(() => {
    const links = selection.links;
    graph.draw({
      me: room.self?.name ?? '',
      nat: natBadge(room.nat),
      server: room.state,
      peers: links.map((link) => ({
        id: link.peer.id, name: link.peer.name, kind: link.peer.kind, state: link.state, path: link.path, away: link.away,
        nat: natBadge(link.peer.nat),
        selected: links.length > 1 && selection.target === link,
        rtt: link.stats?.rtt ?? null, up: link.stats?.sendRate ?? 0, down: link.stats?.receiveRate ?? 0,
      })),
    });
    for (const [id, { label }] of chips) {
      if (room.links.has(id)) continue;
      label.remove();
      chips.delete(id);
    }
    everyone.label.hidden = links.length < 2;
    everyone.show('Everyone', `${links.length} peers`, selection.target === null, 0, null);
    if (!everyone.label.isConnected) list.append(everyone.label);
    for (const link of links) {
      const { id } = link.peer;
      let made = chips.get(id);
      if (!made) {
        made = chip(id, () => selection.choose(id));
        chips.set(id, made);
        list.append(made.label);
      }
      made.label.dataset.testid = 'peer';
      Object.assign(made.label.dataset, { name: link.peer.name, kind: link.peer.kind, state: link.state, path: link.path, away: String(link.away) });
      made.show(link.peer.name, describe(link), selection.target === link, unread.of(link), link.peer);
    }
  });

  const watch = (/** @type {Link} */ link) => {
    for (const kind of ['change', 'stats']) link.addEventListener(kind, draw);
  };
  room.addEventListener('link', (e) => watch(/** @type {CustomEvent<Link>} */ (e).detail));
  for (const source of [room, selection, unread]) source.addEventListener('change', draw);
  draw();
}

/** @param {string} value @param {() => void} choose */
function chip(value, choose) {
  const input = el('input', { type: 'radio', name: 'peer', value, class: 'unseen' });
  const name = el('strong'), note = el('span', { class: 'chip-note' }), badge = el('span', { class: 'badge' });
  const sign = el('i', { class: 'chip-sign', 'aria-hidden': 'true' });
  const nat = el('span', { class: 'chip-nat', 'data-testid': 'nat-badge' });
  const label = el('label', { class: 'peer' }, input, sign, name, nat, note, badge);
  input.addEventListener('change', choose);
  return {
    label,
    /** @param {string} title @param {string} words @param {boolean} checked @param {number} unread @param {import('../net/messages.js').Peer|null} peer */
    show(title, words, checked, unread, peer) {
      const known = natBadge(peer?.nat);
      say(nat, known);
      nat.hidden = !known;
      nat.title = peer && known ? `${title}: ${inFull(peer.nat, peer.kind)}` : '';
      say(name, title);
      say(note, words);
      say(badge, unread ? `${unread} new` : '');
      badge.hidden = !unread;
      input.checked = checked;
    },
  };
}

/** @param {Link} link */
function describe(link) {
  const words = [];
  if (link.state === 'connected') words.push(link.path === 'unknown' ? 'connected' : link.path);
  else words.push({ new: 'waiting', connecting: 'connecting', interrupted: 'interrupted', failed: 'no path', closed: 'gone' }[link.state]);
  if (link.away) words.push('away from the room');
  const { stats } = link;
  if (link.state === 'connected' && stats) {
    if (stats.rtt !== null) words.push(ms(stats.rtt));
    const total = stats.sendRate + stats.receiveRate;
    if (total > 4000) words.push(rate(total));
  }
  return words.join(' · ');
}
