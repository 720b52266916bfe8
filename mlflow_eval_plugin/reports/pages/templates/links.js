// Links within the page, in a viewer's frame: MLflow shows an artifact as a sandboxed blob:, which no "#part" leads around in.
// A page that is opened alone needs no script for them, and keeps the part in its address.
(() => {
  if (location.protocol !== "blob:" && self === top) return;
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    const part = link && document.getElementById(link.getAttribute("href").slice(1));
    if (!part || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    part.scrollIntoView();
    // Whoever goes on by keyboard, or hears the page, goes on from there.
    if (part.tabIndex < 0) part.tabIndex = -1;
    part.focus({ preventScroll: true });
  });
})();
