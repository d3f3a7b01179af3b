// @ts-check
// The end of a stay: what happened, and where to go from here.
import { must, say } from './dom.js';

/** @type {Record<string, {title: string, text: string, again: boolean}>} */
const endings = {
  left: { title: 'You have left the room', text: 'The others have been told, and the connections to them are closed.', again: true },
  replaced: { title: 'This room is open in another tab', text: 'Your place went to that tab. Coming back here takes it back.', again: true },
  shutdown: { title: 'The server was stopped', text: 'Whoever runs it stopped it. The room ended with it.', again: true },
  'no-room': { title: 'There is no such room', text: 'It may have ended: a room closes ten minutes after the last person leaves.', again: false },
  'room-full': { title: 'The room is full', text: 'Everybody it has place for is here already. When somebody leaves, you can come in.', again: true },
  'rate-limited': { title: 'Too many at once', text: 'The server turned this browser away because a lot came from its address. Wait a moment.', again: true },
};

/**
 * @param {import('../net/room.js').Room} room
 * @returns {(code: string, message?: string) => void}
 */
export function ending(room) {
  const again = must('over-again', HTMLButtonElement);
  again.addEventListener('click', () => location.reload());
  return (code, message = '') => {
    const main = must('main', HTMLElement);
    if (main.dataset.phase === 'over') return; // the first reason is the reason
    room.leave();
    const { title, text, again: may } = endings[code] ?? { title: 'You are no longer in the room', text: message, again: true };
    main.dataset.phase = 'over';
    const section = must('over', HTMLElement);
    section.hidden = false;
    section.dataset.code = code;
    say(must('over-title', HTMLElement), title);
    say(must('over-text', HTMLElement), text);
    again.hidden = !may;
    say(again, code === 'left' || code === 'replaced' ? 'Come back in' : 'Try again');
    for (const id of ['leave', 'rename', 'share-toggle']) must(id, HTMLElement).hidden = true;
    must('banner', HTMLElement).hidden = true;
    must('over-title', HTMLElement).focus();
  };
}
