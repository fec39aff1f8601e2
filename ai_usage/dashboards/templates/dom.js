// Making elements. Belongs here: the one way in which text reaches the page (textContent), small icons.
// Not here: HTML from strings: there is none in this report.

AIU.el = (tag, props = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else if (name === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined));
  return node;
};

const SHAPES = {
  table: "M2 3h12v10H2zM2 6.5h12M2 10h12M6.5 3v10",
  chart: "M2 13.5h12M4 11V7M8 11V3M12 11V5",
  csv: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
  xlsx: "M3 2.5h10v11H3zM5.8 5.5l4.4 5M10.2 5.5l-4.4 5",
  info: "M8 7.2v4M8 4.8v.1M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z",
  down: "M4 6.5 8 10.5l4-4",
};
AIU.icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
};

AIU.announce = (text) => { document.getElementById("live").textContent = text; };

// A tooltip of [swatch, name, value] lines that follows the pointer.
AIU.tip = {
  node: document.getElementById("tip"),
  show(event, title, lines) {
    this.node.replaceChildren(
      AIU.el("strong", { text: title }),
      ...lines.map(([colour, name, value]) => AIU.el("div", { class: "tip-line" },
        AIU.el("i", { class: "swatch", style: { background: colour ?? "transparent" } }),
        AIU.el("span", { text: name }), AIU.el("b", { text: value }))),
    );
    this.node.hidden = false;
    const { width, height } = this.node.getBoundingClientRect();
    const x = event.clientX + 16 + width > innerWidth ? event.clientX - width - 16 : event.clientX + 16;
    const y = Math.min(Math.max(8, event.clientY - height / 2), innerHeight - height - 8);
    this.node.style.transform = `translate(${Math.max(8, x)}px, ${y}px)`;
  },
  hide() { this.node.hidden = true; },
};
