// Everything here makes a page better that works without it.
"use strict";

// The zone of this browser, for the times of the session.
for (const field of document.querySelectorAll("[data-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
}

// A part of the page that the server sends anew when it changes. While nobody looks, nothing is sent.
const live = document.querySelector("[data-live]");
if (live) {
  const state = document.getElementById("live-state");
  let source = null;
  let lost = null;

  const show = (html) => {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    // What has the focus keeps it: its counterpart is found by its address or its label.
    const focused = live.contains(document.activeElement) ? document.activeElement : null;
    const key = focused && (focused.getAttribute("href") || focused.getAttribute("aria-label"));
    const scrolled = [...live.querySelectorAll(".scroll")].map((part) => part.scrollLeft);
    live.replaceChildren(...parsed.body.childNodes);
    live.querySelectorAll(".scroll").forEach((part, index) => { part.scrollLeft = scrolled[index] || 0; });
    if (key) {
      const same = [...live.querySelectorAll("a, [tabindex]")].find(
        (part) => part.getAttribute("href") === key || part.getAttribute("aria-label") === key);
      if (same) same.focus({ preventScroll: true });
    }
  };

  const say = (text) => {
    state.textContent = text;
    state.classList.toggle("hidden", !text);
  };

  const close = () => {
    if (source) source.close();
    source = null;
  };

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(live.dataset.live);
    source.addEventListener("live", (event) => {
      clearTimeout(lost);
      say("");
      show(event.data);
    });
    source.addEventListener("open", () => { clearTimeout(lost); say(""); });
    // The campaign has ended, or its state has changed: the page has other controls.
    source.addEventListener("reload", () => { close(); location.reload(); });
    source.addEventListener("over", close);
    source.addEventListener("error", () => {
      lost = setTimeout(() => say(state.dataset.lost), 2000);
      // After an answer that is no stream, a browser does not try again by itself.
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        setTimeout(open, 3000);
      }
    });
  };

  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
  open();
}
