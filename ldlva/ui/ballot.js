// The ballot in the browser: shows a face, times the answer from the moment it is painted, and sends each answer as one
// message. The server's last word decides: what is shown ahead of it is only the next face, which it already named.

const instances = new WeakMap();
const images = new Map(); // id -> decoded Image; kept for the life of the page, so that no face travels twice
let picturesOf = null; // whose they are: ids of a preview mean other faces than those of the study itself

const RESEND_MS = 5000; // doubled every time, so that a server under load is not kept from answering
const LONGEST_RESEND_MS = 60000;

export default function ({ data, parentElement, setTriggerValue }) {
  let ballot = instances.get(parentElement);
  if (!ballot) {
    ballot = createBallot(parentElement.querySelector(".ballot"));
    instances.set(parentElement, ballot);
  }
  ballot.update(data, (event) => setTriggerValue("event", event));
  return ballot.dispose;
}

function createBallot(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const listening = new AbortController();
  const paint = new MessageChannel(); // its message arrives right after the frame that asked for it was painted
  let data = null;
  let send = null;
  let face = null; // what is on screen: { id, practice, expected, paintedAt }
  let stage = "wait"; // wait, cross, face, rate, pause
  let inFlight = null; // serial of the event the server has not answered yet
  let queued = null; // one answer given before that
  let ahead = 0; // faces shown before the server confirmed the vote on the one before
  let serial = Date.now(); // grows over reloads too
  let resending = null; // timer
  let lastEventAt = -Infinity;
  let picked = new Set();
  let chosenAt = null;
  let optionsShown = "";
  let onPaint = null;

  const text = (key, values = {}) =>
    Object.entries(values).reduce((said, [name, value]) => said.replaceAll(`{${name}}`, value), data.texts[key]);
  const titleOf = (name) => data.options.find((option) => option.name === name)?.title ?? name;
  const on = (target, type, act, options = {}) =>
    target.addEventListener(type, act, { signal: listening.signal, ...options });
  const show = (element, visible) => { element.hidden = !visible; };

  // From the server

  function update(fresh, sendEvent) {
    send = sendEvent;
    data = fresh;
    if (data.pictures_of !== picturesOf) images.clear();
    picturesOf = data.pictures_of;
    for (const [id, source] of Object.entries(data.images)) keep(Number(id), source);
    if (inFlight !== null && data.ack < inFlight) return;
    inFlight = null;
    clearTimeout(resending);
    show(part("unsent"), false);
    ahead = 0;
    drawTexts();
    drawOptions();
    drawFailure();
    if (queued !== null) {
      const { event } = queued;
      queued = null;
      if (event.image === data.face.id && !data.failure) {
        post({ ...event, repeat: data.face.repeat });
        ahead = 1;
        if (stage === "wait" && mayShowNext()) raise({ id: data.next, practice: false });
        drawProgress();
        return;
      }
      face = null; // the server has another face in mind: the answer belonged to none of its own
    }
    if (stage === "pause" && !data.failure) return drawProgress(); // what comes next is drawn when they go on
    if (face?.id === data.face.id && face.repeat === undefined) Object.assign(face, data.face);
    if (face?.id !== data.face.id || face?.repeat !== data.face.repeat || data.failure) arrive(data.face);
    drawProgress();
    if (data.next !== null && !images.has(data.next)) post({ kind: "missing" });
  }

  function keep(id, source) {
    const image = new Image();
    image.src = source;
    images.set(id, { image, decoded: image.decode().catch(() => {}) });
  }

  function post(event) {
    serial += 1;
    inFlight = serial;
    deliver({ ...event, serial, held: [...images.keys()] });
  }

  // Streamlit drops what is sent while the connection is down, and a restarted server knows of nothing that was. The
  // server takes every serial once, so a message may arrive twice.
  function deliver(message, patience = RESEND_MS) {
    send(message);
    clearTimeout(resending);
    resending = setTimeout(() => {
      if (!root.isConnected) return;
      if (message.kind !== "missing" && part("unsent").hidden) {
        show(part("unsent"), true);
        say(text("unsent"));
      }
      deliver(message, Math.min(2 * patience, LONGEST_RESEND_MS));
    }, patience);
  }

  // A face comes up

  function arrive(next) {
    if (face?.practice && next.practice === false) {
      interrupt(text("practice_over"), "");
    } else {
      raise(next);
    }
  }

  function mayShowNext() {
    return ahead <= 1 && data.next !== null && images.has(data.next) && !data.face.practice;
  }

  function proceed() {
    if (inFlight === null) return raise({ ...data.face });
    if (mayShowNext()) return raise({ id: data.next, practice: false });
    face = null;
    stage = "wait"; // the server's answer is under way
  }

  function interrupt(heading, words) {
    stage = "pause";
    part("pause-heading").textContent = heading;
    part("pause-text").textContent = words;
    show(part("pause"), true);
    show(part("voting"), false);
    const button = part("pause-continue");
    button.onclick = () => {
      if (!deliberate()) return;
      show(part("pause"), false);
      show(part("voting"), true);
      proceed();
      part("question").focus({ preventScroll: true });
    };
    button.focus({ preventScroll: true });
    say(`${heading} ${words}`);
  }

  async function raise(next) {
    const hadFocus = part("rating").contains(document.activeElement) || part("feedback").contains(document.activeElement);
    face = { ...next, paintedAt: null };
    const mine = face;
    picked = new Set();
    chosenAt = null;
    show(part("rating"), false);
    show(part("feedback"), false);
    drawPicked();
    drawProgress();
    if (hadFocus) part("question").focus({ preventScroll: true });
    const picture = part("picture");
    const held = images.get(next.id);
    if (!held) {
      stage = "wait";
      picture.classList.add("away");
      post({ kind: "missing" });
      face = null;
      return;
    }
    if (data.fixation_ms > 0) {
      stage = "cross";
      picture.classList.add("away");
      show(part("cross"), true);
      say(text("cross"));
      await elapsed(data.fixation_ms);
      if (face !== mine) return;
    }
    await held.decoded;
    if (face !== mine) return;
    picture.src = held.image.src;
    picture.alt = progressWords();
    try { await picture.decode(); } catch { /* a broken picture is no reason to stop: the buttons stay */ }
    if (face !== mine) return;
    requestAnimationFrame(() => {
      if (face !== mine) return;
      show(part("cross"), false);
      picture.classList.remove("away");
      onPaint = () => {
        if (face !== mine) return;
        mine.paintedAt = performance.now();
        stage = "face";
        root.dataset.face = String(mine.id);
        root.dataset.painted = String(mine.paintedAt);
        show(part("trouble"), false);
        if (data.exposure_ms !== null) hideAfter(mine);
      };
      paint.port2.postMessage(null);
    });
    say(progressWords());
  }

  paint.port1.onmessage = () => { onPaint?.(); onPaint = null; };

  function elapsed(milliseconds) {
    const until = performance.now() + milliseconds;
    return new Promise((done) => {
      const frame = (now) => (now >= until - 4 ? done() : requestAnimationFrame(frame));
      requestAnimationFrame(frame);
    });
  }

  async function hideAfter(mine) {
    await elapsed(data.exposure_ms);
    if (face === mine) part("picture").classList.add("away");
  }

  // The volunteer answers

  function deliberate() {
    const now = performance.now();
    const isSecondHalf = now - lastEventAt < data.quiet_ms;
    lastEventAt = now;
    return !isSecondHalf;
  }

  function choose(name) {
    const isAsked = stage === "face" || (stage === "rate" && data.mode !== "multiple"); // or changed their mind
    if (!isAsked || face.paintedAt === null) return;
    const now = performance.now();
    if (!deliberate() || now - face.paintedAt < data.quiet_ms || queued !== null) return;
    chosenAt = now;
    if (data.mode === "multiple") {
      toggle(name);
      lastEventAt = -Infinity; // the next tick of the list is not the second half of a double click on this one
      return;
    }
    picked = new Set([name]);
    stage = "face";
    drawPicked();
    if (name === "other") rate("other");
    else if (name !== "none" && (data.mode === "intensity" || data.mode === "valence_arousal")) rate(data.mode);
    else settle();
  }

  function toggle(name) {
    if (picked.has(name)) picked.delete(name);
    else if (name === "none" || name === "other") picked = new Set([name]); // these stand alone
    else { picked.delete("none"); picked.delete("other"); picked.add(name); }
    drawPicked();
    say([...picked].map(titleOf).join(", "));
  }

  function rate(what) {
    stage = "rate";
    for (const name of ["intensity", "valence_arousal", "other"]) show(part(`rate-${name}`), name === what);
    for (const slider of root.querySelectorAll(".rating input[type=range]")) {
      slider.value = String((Number(slider.min) + Number(slider.max)) / 2);
      slider.dataset.set = "";
    }
    part("other-text").value = "";
    show(part("dot"), false);
    show(part("rating"), true);
    allowContinue();
    part(`rate-${what}`).querySelector("input").focus({ preventScroll: true });
    part("rating").scrollIntoView({ block: "nearest" });
  }

  function allowContinue() {
    const shown = [...root.querySelectorAll(".rating > div:not([hidden]) input[type=range]")];
    part("rating-continue").disabled = !shown.every((slider) => slider.dataset.set);
  }

  function settle() {
    const answer = { kind: "vote", image: face.id, repeat: face.repeat, response_ms: Math.round(chosenAt - face.paintedAt) };
    answer.choice = data.mode === "multiple" ? [...picked] : [...picked][0];
    const isRated = stage === "rate" && !picked.has("other");
    if (isRated && data.mode === "intensity") answer.intensity = Number(part("intensity").value);
    if (isRated && data.mode === "valence_arousal") {
      answer.valence = Number(part("valence").value) / 100;
      answer.arousal = Number(part("arousal").value) / 100;
    }
    if (picked.has("other")) answer.other_text = part("other-text").value.trim() || null;
    say(text("chosen", { emotion: [...picked].map(titleOf).join(", ") }));
    if (face.practice && face.expected?.length) teach(answer);
    else advance(answer);
  }

  function teach(answer) {
    const given = Array.isArray(answer.choice) ? answer.choice : [answer.choice];
    const isExpected = given.some((name) => face.expected.includes(name));
    const words = text(isExpected ? "expected_same" : "expected_other", { emotion: face.expected.map(titleOf).join(", ") });
    stage = "pause";
    show(part("rating"), false);
    part("feedback-text").textContent = words;
    show(part("feedback"), true);
    const button = part("feedback-continue");
    button.onclick = () => { if (deliberate()) { stage = "wait"; advance(answer); } };
    button.focus({ preventScroll: true });
    say(words);
  }

  function advance(answer) {
    const { practice } = face;
    const isConfirmed = inFlight === null;
    if (isConfirmed) post(answer);
    else queued = { event: answer };
    stage = "wait";
    const done = data.done + ahead + 1;
    ahead += 1;
    part("picture").classList.add("away");
    show(part("rating"), false);
    if (data.break_every > 0 && !practice && done % data.break_every === 0 && done < data.total) {
      face = null;
      interrupt(text("break_heading"), text("break_text", { done, total: data.total }));
    } else if (isConfirmed && mayShowNext()) {
      raise({ id: data.next, practice: false });
    }
  }

  function undo() {
    if (stage === "rate") {
      picked = new Set();
      stage = "face";
      show(part("rating"), false);
      drawPicked();
      part("question").focus({ preventScroll: true });
      return;
    }
    if (stage === "pause" || inFlight !== null || !data.can_undo || !deliberate()) return;
    face = null;
    stage = "wait";
    say(text("undone"));
    post({ kind: "undo", done: data.done });
  }

  // What is on screen

  function progressWords() {
    const words = text("face", { number: Math.min(data.done + ahead + 1, data.total), total: data.total });
    return data.face.practice && ahead === 0 ? `${words}. ${text("practice_note")}` : words;
  }

  function drawProgress() {
    part("where").textContent = progressWords();
    const bar = part("progress");
    bar.setAttribute("aria-valuemax", data.total);
    bar.setAttribute("aria-valuenow", Math.min(data.done + ahead, data.total));
    bar.firstElementChild.style.width = `${(100 * Math.min(data.done + ahead, data.total)) / Math.max(data.total, 1)}%`;
    part("undo").disabled = !data.can_undo && ahead === 0;
  }

  function drawTexts() {
    for (const element of root.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text, { count: Math.min(data.options.length, 9) });
    for (const element of root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", text(element.dataset.label));
    part("question").textContent = text(data.mode === "multiple" ? "question_several" : "question");
    show(part("several-continue"), data.mode === "multiple");
    part("plain-link").href = data.plain_link;
  }

  function drawOptions() {
    const signature = JSON.stringify([data.options, data.mode]);
    if (signature === optionsShown) return; // the buttons stay, and with them the focus of keyboard and screen reader
    optionsShown = signature;
    part("choices").replaceChildren(
      ...data.options.map((option, index) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.choice = option.name;
        button.style.setProperty("--colour", option.colour);
        const title = document.createElement("span");
        title.textContent = option.title;
        button.append(title);
        if (index < 9) {
          const key = document.createElement("kbd");
          key.textContent = String(index + 1);
          key.setAttribute("aria-hidden", "true");
          button.setAttribute("aria-keyshortcuts", String(index + 1));
          button.append(key);
        }
        button.onclick = () => choose(option.name);
        return button;
      }),
    );
    drawPicked();
  }

  function drawPicked() {
    const isLasting = data.mode !== "single";
    for (const button of part("choices").children) {
      if (isLasting) button.setAttribute("aria-pressed", String(picked.has(button.dataset.choice)));
      else button.removeAttribute("aria-pressed");
    }
    part("several-continue").disabled = picked.size === 0;
  }

  function drawFailure() {
    part("failure").textContent = data.failure ?? "";
    show(part("failure"), Boolean(data.failure));
  }

  function say(words) {
    part("live").textContent = words;
  }

  // Events of the page

  on(window, "keydown", (event) => {
    if (!root.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target.matches?.("textarea, input:not([type=range])");
    const isChoice = /^[1-9]$/.test(event.key) && Number(event.key) <= data.options.length;
    if (isTyping || !(isChoice || event.key === "Backspace")) {
      if (event.key === "Enter" && event.repeat) event.preventDefault(); // a held Enter is one press
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.repeat) return; // a held key is one press
    if (event.key === "Backspace") undo();
    else choose(data.options[Number(event.key) - 1].name);
  }, { capture: true });

  on(part("undo"), "click", undo);
  on(part("several-continue"), "click", () => { if (stage === "face" && picked.size > 0 && deliberate()) { chosenAt = performance.now(); settle(); } });
  on(part("rating-continue"), "click", () => { if (stage === "rate" && deliberate()) settle(); });
  on(part("other-text"), "keydown", (event) => { if (event.key === "Enter" && !event.repeat && stage === "rate" && deliberate()) settle(); });
  for (const slider of root.querySelectorAll(".rating input[type=range]")) {
    const touched = () => { slider.dataset.set = "yes"; drawDot(); allowContinue(); };
    on(slider, "input", touched);
    on(slider, "pointerup", touched);
    on(slider, "keydown", (event) => { if (/^(Arrow|Home|End|Page)/.test(event.key)) touched(); });
  }
  const grid = part("grid");
  const place = (event) => {
    if (event.type === "pointermove" && event.buttons === 0) return;
    const box = grid.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width;
    const isMirrored = getComputedStyle(grid).direction === "rtl";
    setTo(part("valence"), 200 * (isMirrored ? 1 - across : across) - 100);
    setTo(part("arousal"), 100 - (200 * (event.clientY - box.top)) / box.height);
    drawDot();
    allowContinue();
  };
  on(grid, "pointerdown", (event) => { grid.setPointerCapture(event.pointerId); place(event); });
  on(grid, "pointermove", place);

  function setTo(slider, value) {
    slider.value = String(Math.round(Math.max(-100, Math.min(100, value))));
    slider.dataset.set = "yes";
  }

  function drawDot() {
    const dot = part("dot");
    show(dot, Boolean(part("valence").dataset.set || part("arousal").dataset.set));
    dot.style.insetInlineStart = `${(Number(part("valence").value) + 100) / 2}%`;
    dot.style.top = `${(100 - Number(part("arousal").value)) / 2}%`;
  }

  return { update, dispose: () => { listening.abort(); paint.port1.close(); clearTimeout(resending); } };
}
