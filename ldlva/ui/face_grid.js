// Small faces to choose from: a click opens one, a tick picks it for a follow-up study.

export default function (component) {
  const { parentElement, data, setStateValue, setTriggerValue } = component;
  const root = parentElement.querySelector(".face-grid");
  const picked = new Set(data.picked);
  root.replaceChildren(...data.faces.map((face) => {
    const card = document.createElement("div");
    card.className = face.id === data.open ? "card open" : "card";
    const open = document.createElement("button");
    open.type = "button";
    open.className = "show";
    open.setAttribute("aria-label", `Show ${face.name}`);
    open.setAttribute("aria-pressed", String(face.id === data.open));
    const picture = document.createElement("img");
    picture.src = face.picture;
    picture.alt = "";
    open.append(picture);
    open.onclick = () => setTriggerValue("opened", face.id);
    const foot = document.createElement("label");
    const tick = document.createElement("input");
    tick.type = "checkbox";
    tick.checked = picked.has(face.id);
    tick.setAttribute("aria-label", `Pick ${face.name}`);
    tick.onchange = () => setTriggerValue("ticked", { id: face.id, picked: tick.checked });
    const value = document.createElement("span");
    value.textContent = face.value;
    foot.append(tick, value);
    foot.title = face.name;
    card.append(open, foot);
    return card;
  }));
}
