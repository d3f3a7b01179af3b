// @ts-check
// Copying to the clipboard, which needs https or localhost; elsewhere the field
// is selected and the old way tried.

/** @param {string} text @param {Element|null} field that shows the text @returns {Promise<boolean>} */
export async function copy(text, field) {
  if (navigator.clipboard) {
    const done = await navigator.clipboard.writeText(text).then(() => true, () => false);
    if (done) return true;
  }
  if (field instanceof HTMLInputElement) field.select();
  else if (field) getSelection()?.selectAllChildren(field);
  else return false;
  return document.execCommand('copy');
}

/** Makes the buttons with data-copy below an element work. @param {HTMLElement} root @param {(copied: boolean) => void} [told] */
export function copyButtons(root, told = () => {}) {
  root.addEventListener('click', async (e) => {
    const button = e.target instanceof Element ? e.target.closest('[data-copy]') : null;
    if (!(button instanceof HTMLElement)) return;
    const words = button.querySelector('span');
    const done = await copy(button.dataset.copy ?? '', button.previousElementSibling);
    told(done);
    if (!words) return;
    words.textContent = done ? 'Copied' : 'Select it';
    setTimeout(() => { words.textContent = 'Copy'; }, 2000);
  });
}
