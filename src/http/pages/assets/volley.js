// Everything here makes a page better that works without it.
"use strict";

// The zone of this browser, for the times of the session.
for (const field of document.querySelectorAll("[data-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
}

// What was just done is said once: no reload says it again, also not the one after the state has changed.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(history.state, "", address);
}

// Menus close with Escape, which leads back to their button, and with a click beside them.
const menus = document.querySelectorAll("details.who, details.more");
const closeMenus = (isKept) => {
  for (const menu of menus) {
    if (!menu.open || isKept(menu)) continue;
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) menu.querySelector("summary").focus();
  }
};
document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeMenus(() => false); });
document.addEventListener("pointerdown", (event) => closeMenus((menu) => menu.contains(event.target)));

// Replaces something within a part of the page. What has the focus keeps it: its counterpart has the same address, label or
// text, and the same place among its like. Without one, the focus stays near, at the beginning of the content.
const keepFocus = (part, replace) => {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const name = (each) => each.getAttribute("href") || each.getAttribute("aria-label") || each.textContent;
  const wanted = focused && name(focused);
  const alike = () => [...part.querySelectorAll(focused.tagName)].filter((each) => name(each) === wanted);
  const place = focused ? alike().indexOf(focused) : 0;
  replace();
  if (!focused || focused.isConnected) return;
  const found = alike();
  (found[place] || found[0] || document.getElementById("content")).focus({ preventScroll: true });
};

// A part of the page that the server sends anew when it changes. While nobody looks, nothing is sent.
const live = document.querySelector("[data-live]");
if (live) {
  const state = document.getElementById("live-state");
  let source = null;
  let lost = null;
  let leaves = false;

  const show = (html) => {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    const scrolled = [...live.querySelectorAll(".scroll")].map((part) => part.scrollLeft);
    // The charts are sent by themselves, and stay where they are.
    const fresh = [...parsed.body.childNodes];
    const charts = document.getElementById("course");
    const at = fresh.findIndex((part) => part.id === "course");
    keepFocus(live, () => {
      if (charts && at >= 0) {
        for (const old of [...live.childNodes]) if (old !== charts) old.remove();
        charts.before(...fresh.slice(0, at));
        charts.after(...fresh.slice(at + 1));
      } else {
        live.replaceChildren(...fresh);
      }
    });
    live.querySelectorAll(".scroll").forEach((part, index) => { part.scrollLeft = scrolled[index] || 0; });
  };

  const draw = (html) => {
    const charts = document.getElementById("course");
    const table = charts.querySelector("details");
    // Whoever reads the table reads on.
    if (table && table.open) return;
    const fresh = new DOMParser().parseFromString(html, "text/html").body.childNodes;
    keepFocus(charts, () => charts.replaceChildren(...fresh));
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
    source.addEventListener("course", (event) => draw(event.data));
    source.addEventListener("open", () => { clearTimeout(lost); say(""); });
    // The campaign has ended, or its state has changed: the page has other controls. A reload would call off a form that is
    // being sent, and with it the answer that says what was done.
    source.addEventListener("reload", () => {
      close();
      if (leaves) setTimeout(() => location.reload(), 5000);
      else location.reload();
    });
    source.addEventListener("over", close);
    source.addEventListener("error", () => {
      lost = setTimeout(() => say(state.dataset.lost), 2000);
      // The answer was no stream: the session has ended, or the server is busy. A lost connection is tried again.
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        setTimeout(() => location.reload(), 5000);
      }
    });
  };

  say("");
  window.addEventListener("beforeunload", () => { leaves = true; });
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
  open();
}

// A click on a column writes it where the cursor is.
let field = null;
document.addEventListener("focusin", (event) => {
  if (event.target.matches("textarea, input:not([type])")) field = event.target;
});
for (const chip of document.querySelectorAll("[data-insert]")) {
  chip.addEventListener("click", () => {
    const target = field || document.querySelector("textarea");
    if (!target) return;
    target.setRangeText(chip.dataset.insert, target.selectionStart, target.selectionEnd, "end");
    target.dispatchEvent(new Event("input", { bubbles: true }));
    target.focus();
  });
}

// The length of a text while it is written. The server counts, as it does when the page is saved.
for (const says of document.querySelectorAll("[data-count]")) {
  const input = document.getElementById(says.id.slice(0, -"-count".length));
  let waits = null;
  let asked = 0;
  const ask = async () => {
    const number = ++asked;
    const query = new URLSearchParams({ of: says.dataset.count, text: input.value });
    // A longer address might be refused; saving counts such a text.
    if (query.toString().length > 16000) return;
    const answer = await fetch(`/new/count?${query}`).catch(() => null);
    const count = answer && answer.ok ? await answer.json() : null;
    // An earlier question may be answered later.
    if (!count || number !== asked) return;
    says.textContent = count.is_over ? `${says.dataset.over} ${count.sentence}` : count.sentence;
    says.classList.toggle("problem", count.is_over);
  };
  input.addEventListener("input", () => {
    clearTimeout(waits);
    waits = setTimeout(ask, 250);
  });
}

// Another template has other fields: what was entered is saved, and they are shown.
for (const choice of document.querySelectorAll("select[data-chosen]")) {
  choice.addEventListener("change", () => submitAs(choice.form, choice.dataset.chosen));
}

// Sends a form as one of its buttons would.
function submitAs(form, what) {
  const button = document.createElement("button");
  button.name = "do";
  button.value = what;
  button.hidden = true;
  form.append(button);
  form.requestSubmit(button);
}

// Steps are moved with the pointer; with the keyboard, by their buttons. The fields move along, and the drop saves them.
for (const list of document.querySelectorAll("[data-reorder]")) {
  const order = () => [...list.children].map((step) => step.dataset.step).join(",");
  if (list.children.length < 2) break;
  for (const step of list.children) {
    const grip = document.createElement("span");
    grip.className = "grip";
    grip.textContent = "⠿";
    grip.title = `${list.dataset.reorder} ${step.dataset.step}`;
    grip.setAttribute("aria-hidden", "true");
    step.querySelector("h2").append(grip);
    let before = null;

    const end = (isDropped) => {
      if (before === null) return;
      const was = before;
      before = null;
      step.classList.remove("dragged");
      if (!isDropped) {
        // As it was: each step in the order of its number.
        list.append(...[...list.children].sort((a, b) => a.dataset.step - b.dataset.step));
      } else if (order() !== was) {
        submitAs(list.closest("form"), `order-${order()}`);
      }
    };

    grip.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      before = order();
      step.classList.add("dragged");
      grip.setPointerCapture(event.pointerId);
    });
    grip.addEventListener("pointermove", (event) => {
      if (before === null) return;
      const under = document.elementFromPoint(event.clientX, event.clientY);
      const other = under && under.closest("[data-step]");
      if (!other || other === step || other.parentElement !== list) return;
      const follows = step.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
      // Beyond its middle, so that steps of different heights do not change places again and again.
      const { left, top, width, height } = other.getBoundingClientRect();
      const own = step.getBoundingClientRect();
      const isBeside = Math.abs(own.top - top) < 10;
      const passed = isBeside ? (event.clientX - left) / width : (event.clientY - top) / height;
      // The others move, because the pointer stays with an element only while that is not moved.
      let moved = null;
      while (follows && passed > 0.5 && moved !== other) step.before(moved = step.nextElementSibling);
      while (!follows && passed < 0.5 && moved !== other) step.after(moved = step.previousElementSibling);
    });
    grip.addEventListener("pointerup", () => end(true));
    grip.addEventListener("pointercancel", () => end(false));
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") end(false); });
  }
}

// What is entered for a new campaign is saved when another step is opened, and left by other links only after a question.
const kept = document.querySelector("form[data-kept]");
if (kept) {
  let isChanged = false;
  kept.addEventListener("input", () => { isChanged = true; });
  kept.addEventListener("submit", () => { isChanged = false; });
  addEventListener("beforeunload", (event) => { if (isChanged) event.preventDefault(); });
  for (const link of document.querySelectorAll("ol.way a")) {
    link.addEventListener("click", (event) => {
      if (!isChanged || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      submitAs(kept, `to-${link.pathname.split("/").pop()}`);
    });
  }
}

// A file is sent in parts, so that a broken upload goes on where it stopped.
for (const form of document.querySelectorAll("form[data-upload]")) {
  const PART = 8 << 20;
  const token = form.elements.form_token.value;
  const [bar] = form.getElementsByTagName("progress");
  const says = form.querySelector("[role=status]");
  let begun = null;

  const ask = async (path, options = {}) => {
    const headers = { "X-Form-Token": token, ...options.headers };
    const answer = await fetch(path, { ...options, headers });
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      throw new Error(problem.detail || form.dataset.failed);
    }
    return answer;
  };

  const send = async (file) => {
    if (!begun || begun.file !== file) {
      const body = JSON.stringify({ name: file.name, length: file.size });
      const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
      const upload = await (await ask("/v1/uploads", { method: "POST", body, headers })).json();
      begun = { file, id: upload.id };
    }
    const path = `/v1/uploads/${begun.id}`;
    let offset = Number((await ask(path)).headers.get("Upload-Offset"));
    while (offset < file.size) {
      bar.value = offset / file.size;
      const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": offset };
      const part = await ask(path, { method: "PATCH", headers, body: file.slice(offset, offset + PART) });
      offset = Number(part.headers.get("Upload-Offset"));
    }
    bar.value = 1;
    return begun.id;
  };

  form.addEventListener("submit", async (event) => {
    // Without randomUUID, as over plain HTTP from another machine, the form itself sends the file.
    if (!crypto.randomUUID) return;
    event.preventDefault();
    const [button] = form.querySelectorAll("button");
    button.disabled = true;
    bar.classList.remove("hidden");
    says.textContent = "";
    try {
      const id = await send(form.elements.file.files[0]);
      const kept = [...form.elements].filter((each) => each.name && each.type !== "file");
      const fields = Object.fromEntries(kept.map((each) => [each.name, each.value]));
      fields.upload = id;
      const next = document.createElement("form");
      next.method = "post";
      next.action = form.dataset.next;
      for (const [name, value] of Object.entries(fields)) {
        const input = document.createElement("input");
        input.type = "hidden";
        input.name = name;
        input.value = value;
        next.append(input);
      }
      document.body.append(next);
      next.submit();
    } catch (error) {
      says.textContent = navigator.onLine && error.message !== "Failed to fetch" ? error.message : form.dataset.failed;
      button.disabled = false;
    }
  });
}

// A secret is copied with one click. The clipboard is there over TLS and on this machine only.
for (const button of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
  });
}

// A page about work that goes on looks again every second, and shows what comes after it. Without scripts, it loads itself again.
const working = document.querySelector("[data-again]");
if (working) {
  const again = async () => {
    const answer = await fetch(location.href).catch(() => null);
    const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    const now = page?.querySelector("[data-again]");
    if (page && !now) return location.replace(answer.url);
    if (now) keepFocus(working, () => working.replaceChildren(...now.childNodes));
    setTimeout(again, 1000);
  };
  setTimeout(again, 1000);
}
