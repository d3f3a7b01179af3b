// @ts-check
// The chat: what was said with one peer, or with everyone, in the order it was said.
import { el, must, say, soon } from './dom.js';
import { clock } from './format.js';

/** @typedef {import('../net/link.js').Link} Link */
/** @typedef {import('../net/chat.js').ChatMessage} ChatMessage */
/** @typedef {import('./context.js').Context} Context */
/** @typedef {{key: string, at: number, mine: boolean, who: string, text: string, delivered: number, of: number}} Line */

const shown = 400, kept = 16;

/** @param {Context} context */
export function chat({ room, selection, unread, announce, notice }) {
  const log = must('chat-log', HTMLOListElement);
  const empty = must('chat-empty', HTMLElement);
  const form = must('chat-form', HTMLFormElement);
  const input = must('chat-input', HTMLTextAreaElement);
  /** who is gone; what they said stays in view with everyone @type {Link[]} */
  const gone = [];
  /** a message said to several is one line: which one each copy belongs to @type {Map<string, string>} */
  const copies = new Map();
  /** how many messages of a link have been looked at @type {WeakMap<Link, number>} */
  const seen = new WeakMap();
  /** @type {Map<string, HTMLLIElement>} */
  const drawn = new Map();
  /** @type {Link|null|undefined} */
  let drawnFor;

  const draw = soon(() => {
    const target = selection.target, links = selection.links;
    if (drawnFor !== target) {
      drawnFor = target;
      drawn.clear();
      log.replaceChildren();
    }
    const from = target && links.length > 1 ? [target] : [...gone, ...links];
    const lines = collect(from, copies).slice(-shown);
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 24;
    show(lines, !target || links.length === 1 && gone.length > 0);
    if (atEnd) log.scrollTop = log.scrollHeight;
    log.hidden = lines.length === 0;
    empty.hidden = lines.length > 0;
    say(empty, links.length === 0 ? 'Nobody is here to read it yet.' : 'Nothing said so far. Messages are encrypted between you; a relay passes them on, but cannot read them.');
    input.disabled = links.length === 0;
    count(from);
  });

  /** @param {Line[]} lines @param {boolean} named */
  function show(lines, named) {
    const keys = new Set(lines.map((line) => line.key));
    for (const [key, item] of drawn) {
      if (keys.has(key)) continue;
      item.remove();
      drawn.delete(key);
    }
    lines.forEach((line, i) => {
      let item = drawn.get(line.key);
      if (!item) drawn.set(line.key, item = message(line, named));
      if (log.children[i] !== item) log.insertBefore(item, log.children[i] ?? null);
      tick(item, line);
    });
  }

  /** Marks what is in view as read, and counts the rest. @param {Link[]} inView */
  function count(inView) {
    for (const link of selection.links) {
      const theirs = link.chat.messages.filter((m) => !m.mine);
      if (inView.includes(link) && !document.hidden) seen.set(link, theirs.length);
      const fresh = theirs.length - (seen.get(link) ?? 0);
      if (fresh > unread.of(link)) announce(`${link.peer.name} says: ${theirs[theirs.length - 1].text}`);
      unread.set(link, Math.max(0, fresh));
    }
  }

  function send() {
    const text = input.value.trim(), targets = selection.targets;
    if (!text || targets.length === 0) return;
    try {
      const keys = targets.map((link) => `${link.peer.id}/${link.chat.send(text).id}`);
      for (const key of keys) copies.set(key, keys[0]);
      input.value = '';
      grow();
    } catch (err) {
      notice(/** @type {Error} */ (err).message, 'bad');
    }
    log.scrollTop = log.scrollHeight;
    draw();
  }

  function grow() {
    input.style.height = 'auto';
    input.style.height = `${Math.min(input.scrollHeight + 2, 160)}px`;
  }

  form.addEventListener('submit', (e) => { e.preventDefault(); send(); });
  input.addEventListener('input', grow);
  input.addEventListener('keydown', (e) => {
    if (e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
    e.preventDefault();
    send();
  });
  room.addEventListener('link', (e) => {
    /** @type {CustomEvent<Link>} */ (e).detail.chat.addEventListener('change', draw);
    draw();
  });
  room.addEventListener('unlink', (e) => {
    const link = /** @type {CustomEvent<Link>} */ (e).detail;
    unread.set(link, 0);
    if (link.chat.messages.length > 0) gone.push(link);
    if (gone.length > kept) gone.shift();
    draw();
  });
  selection.addEventListener('change', draw);
  document.addEventListener('visibilitychange', draw);
  draw();
}

/** @param {Link[]} links @param {Map<string, string>} copies @returns {Line[]} oldest first */
function collect(links, copies) {
  /** @type {Map<string, Line>} */
  const lines = new Map();
  for (const link of links) {
    for (const m of link.chat.messages) {
      const own = `${link.peer.id}/${m.id}`, key = copies.get(own) ?? own;
      const line = lines.get(key) ?? { key, at: m.at, mine: m.mine, who: link.peer.name, text: m.text, delivered: 0, of: 0 };
      line.of++;
      if (m.delivered) line.delivered++;
      lines.set(key, line);
    }
  }
  return [...lines.values()].sort((a, b) => a.at - b.at);
}

/** @param {Line} line @param {boolean} named */
function message(line, named) {
  const text = el('p', { class: 'message-text' }, ...linked(line.text));
  const foot = el('p', { class: 'message-foot' });
  if (!line.mine && named) foot.append(el('strong', {}, line.who), ' ');
  foot.append(el('time', { datetime: new Date(line.at).toISOString() }, clock(line.at)), el('span', { class: 'tick' }));
  return el('li', { class: `message ${line.mine ? 'mine' : 'theirs'}`, 'data-testid': 'message', 'data-mine': String(line.mine), 'data-from': line.mine ? 'me' : line.who }, text, foot);
}

/** @param {HTMLLIElement} item @param {Line} line */
function tick(item, line) {
  if (!line.mine) return;
  const all = line.delivered === line.of;
  item.dataset.delivered = String(all);
  const sign = item.querySelector('.tick');
  if (sign) say(sign, all ? ' ✓ delivered' : line.delivered > 0 ? ` ✓ ${line.delivered} of ${line.of}` : ' … on its way');
}

/** Text with its web addresses as links. Never HTML. @param {string} text @returns {(Node|string)[]} */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]'])/g).map((part, i) =>
    i % 2 === 1 ? el('a', { href: part, target: '_blank', rel: 'noopener noreferrer nofollow' }, part) : part);
}
