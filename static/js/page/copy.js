// @ts-check
// Copying to the clipboard, which needs https or localhost; elsewhere the field
// is selected and the old way tried.

import { el } from './dom.js';

/** @param {string} text @param {Element|null} field that shows the text @returns {Promise<boolean>} */
export async function copy(text, field) {
  if (navigator.clipboard) {
    const done = await navigator.clipboard.writeText(text).then(() => true, () => false);
    if (done) return true;
  }
  if (field instanceof HTMLInputElement) field.select();
  else if (field) getSelection()?.selectAllChildren(field);
  else return copyUnseen(text);
  return document.execCommand('copy');
}

/** The old way where no field shows the text. @param {string} text */
function copyUnseen(text) {
  const field = el('textarea', { class: 'unseen' });
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  return done;
}

/** Copies what an address of ours answers. @param {string} url @returns {Promise<boolean>} */
async function copyFrom(url) {
  try {
    const answer = await fetch(url);
    return answer.ok && await copy(await answer.text(), null);
  } catch {
    return false;
  }
}

/** Makes the buttons with data-copy, a text, or data-copy-from, its address, below an element work. @param {HTMLElement} root @param {(copied: boolean) => void} [told] */
export function copyButtons(root, told = () => {}) {
  root.addEventListener('click', async (e) => {
    const button = e.target instanceof Element ? e.target.closest('[data-copy], [data-copy-from]') : null;
    if (!(button instanceof HTMLElement)) return;
    const words = button.querySelector('span'), from = button.dataset.copyFrom;
    const done = from ? await copyFrom(from) : await copy(button.dataset.copy ?? '', button.previousElementSibling);
    told(done);
    if (!words) return;
    const label = button.dataset.label ??= words.textContent ?? '';
    words.textContent = done ? 'Copied' : from ? 'Not copied' : 'Select it';
    setTimeout(() => { words.textContent = label; }, 2000);
  });
}
