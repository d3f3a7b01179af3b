// @ts-check
// Files on their way, in both directions and with every peer.
import { openSink, sinkLimits, SinkError } from '../net/sinks.js';
import { must, say, soon, within } from './dom.js';
import { bytes, rate, span } from './format.js';

/** @typedef {import('../net/link.js').Link} Link */
/** @typedef {import('../net/files.js').Transfer} Transfer */
/** @typedef {import('./context.js').Context} Context */

const ended = new Set(['done', 'failed', 'cancelled', 'declined']);

/** @param {Context} context */
export function files({ room, selection, announce, notice }) {
  const list = must('transfers', HTMLOListElement);
  const picker = must('file-input', HTMLInputElement);
  /** @type {Map<Transfer, ReturnType<typeof item>>} */
  const drawn = new Map();
  /** @type {{link: Link, transfer: Transfer}[]} */
  let all = [];

  const draw = soon(() => {
    for (const link of selection.links) {
      for (const transfer of link.files.transfers) {
        if (!all.some((known) => known.transfer === transfer)) all.unshift({ link, transfer });
      }
    }
    // What asks for an answer comes first; then the newest.
    const order = [...all].sort((a, b) => Number(b.transfer.state === 'waiting') - Number(a.transfer.state === 'waiting'));
    order.forEach(({ link, transfer }, i) => {
      let row = drawn.get(transfer);
      if (!row) drawn.set(transfer, row = item(transfer, act));
      if (list.children[i] !== row.li) list.insertBefore(row.li, list.children[i] ?? null);
      row.show(link.peer.name);
    });
    list.hidden = all.length === 0;
    picker.disabled = selection.links.length === 0;
  });

  /** @param {Transfer} transfer @param {string} what */
  async function act(transfer, what) {
    try {
      if (what === 'accept') transfer.accept(await openSink(transfer.name, transfer.size));
      else if (what === 'decline') transfer.decline();
      else if (what === 'pause') transfer.pause();
      else if (what === 'resume') transfer.resume();
      else transfer.cancel();
    } catch (err) {
      if (!(err instanceof SinkError && err.code === 'cancelled')) notice(/** @type {Error} */ (err).message, 'bad');
    }
    draw();
  }

  /** @param {Iterable<File>} chosen */
  function offer(chosen) {
    const sent = [...chosen];
    if (sent.length === 0) return;
    if (selection.targets.length === 0) return notice('Nobody is here to send it to.', 'bad');
    for (const link of selection.targets) link.files.offer(sent);
    draw();
  }

  picker.addEventListener('change', () => {
    offer(picker.files ?? []);
    picker.value = '';
  });
  document.addEventListener('paste', (e) => {
    const pasted = e.clipboardData?.files;
    if (!pasted?.length) return;
    e.preventDefault();
    offer(pasted);
  });
  dropAnywhere(offer);
  room.addEventListener('link', (e) => {
    const link = /** @type {CustomEvent<Link>} */ (e).detail;
    link.files.addEventListener('change', draw);
    link.files.addEventListener('offer', (o) => {
      const { name, size } = /** @type {CustomEvent<Transfer>} */ (o).detail;
      announce(`${link.peer.name} offers ${name}, ${bytes(size)}`);
      draw();
    });
    draw();
  });
  room.addEventListener('unlink', draw);
  selection.addEventListener('change', draw);
  say(must('sink-limits', HTMLElement), sinkLimits().text);
  // An answer that slept through its last change event still shows the rate falling.
  setInterval(draw, 1000);
  draw();
}

/** @param {(files: Iterable<File>) => void} offer */
function dropAnywhere(offer) {
  const overlay = must('drop', HTMLElement);
  const carries = (/** @type {DragEvent} */ e) => e.dataTransfer?.types.includes('Files') ?? false;
  let depth = 0; // enter and leave also fire for every element under the pointer
  document.addEventListener('dragenter', (e) => { if (carries(e)) { depth++; overlay.hidden = false; } });
  document.addEventListener('dragleave', (e) => { if (carries(e) && --depth <= 0) { depth = 0; overlay.hidden = true; } });
  document.addEventListener('dragover', (e) => { if (carries(e)) e.preventDefault(); });
  document.addEventListener('drop', (e) => {
    if (!carries(e)) return;
    e.preventDefault();
    depth = 0;
    overlay.hidden = true;
    offer(e.dataTransfer?.files ?? []);
  });
}

/** One row. @param {Transfer} transfer @param {(transfer: Transfer, what: string) => void} act */
function item(transfer, act) {
  const template = must('transfer-template', HTMLTemplateElement);
  const li = within(/** @type {DocumentFragment} */ (template.content.cloneNode(true)), 'li', HTMLLIElement);
  const part = (/** @type {string} */ name) => within(li, name, HTMLElement);
  const bar = within(li, 'progress', HTMLProgressElement);
  const save = within(li, 'a[data-testid="save"]', HTMLAnchorElement);
  const buttons = [...li.querySelectorAll('button')];
  const state = part('.transfer-state'), hash = part('.transfer-hash');
  say(part('.transfer-name'), transfer.name);
  part('.transfer-name').title = transfer.name;
  say(part('.transfer-dir'), transfer.dir === 'in' ? '↓' : '↑');
  Object.assign(li.dataset, { name: transfer.name, dir: transfer.dir, id: transfer.id, size: String(transfer.size) });
  for (const button of buttons) button.addEventListener('click', () => act(transfer, button.dataset.act ?? ''));
  return {
    li,
    /** @param {string} peer */
    show(peer) {
      const { state: now, size, offset, acked, dir } = transfer;
      const moved = dir === 'in' ? offset : acked;
      Object.assign(li.dataset, { state: now, peer, sha256: transfer.sha256 });
      bar.value = size === 0 ? Number(now === 'done') : moved / size;
      bar.hidden = ended.has(now) || now === 'waiting' || now === 'offered' || now === 'queued';
      say(part('.transfer-size'), bar.hidden || now === 'verifying' ? bytes(size) : `${bytes(moved)} of ${bytes(size)}`);
      say(state, words(transfer, peer));
      hash.hidden = !(transfer.sha256 && now === 'done');
      if (!hash.hidden) say(hash, `SHA-256 ${transfer.sha256}`);
      for (const button of buttons) button.hidden = !possible(transfer, button.dataset.act ?? '');
      save.hidden = !transfer.url || now !== 'done';
      if (!save.hidden && save.href !== transfer.url) {
        save.href = transfer.url;
        save.download = transfer.name;
      }
    },
  };
}

/** @param {Transfer} transfer @param {string} action */
function possible({ state, pausedBy }, action) {
  switch (action) {
    case 'accept': case 'decline': return state === 'waiting';
    case 'pause': return state === 'active' || (state === 'paused' && pausedBy !== 'me');
    case 'resume': return state === 'paused' && pausedBy === 'me';
    default: return !ended.has(state) && state !== 'waiting';
  }
}

/** The state as a sentence. @param {Transfer} t @param {string} peer */
function words(t, peer) {
  const to = t.dir === 'in' ? `from ${peer}` : `to ${peer}`;
  switch (t.state) {
    case 'queued': return `${to}, waiting for its turn`;
    case 'offered': return `${to}, not answered yet`;
    case 'waiting': return `${peer} wants to send you this`;
    case 'active': return [to, rate(t.rate), t.eta === null ? '' : `${span(t.eta)} left`].filter(Boolean).join(' · ');
    case 'paused': return `${to}, paused by ${t.pausedBy === 'me' ? 'you' : peer}`;
    case 'interrupted': return `${to}, interrupted; it goes on where it stopped`;
    case 'verifying': return `${to}, checking the sum`;
    case 'done': return [to, 'complete and verified', t.where].filter(Boolean).join(' · ');
    case 'declined': return t.dir === 'in' ? `${to}, you declined` : `${peer} declined`;
    case 'cancelled': return [to, t.error || 'cancelled'].join(' · ');
    default: return [to, t.error || 'failed'].join(' · ');
  }
}
