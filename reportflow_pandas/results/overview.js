// Sorting, filtering and paging of a results frame's table, without a kernel. The first rows are there as plain HTML;
// this only replaces them. Values are set as texts, never as markup.
(function () {
  const root = document.getElementById("ROOT");
  if (!root || root.dataset.live) { return; }
  root.dataset.live = "yes";
  const rows = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const [PAGE, LABEL, STATUS] = [PAGE_ROWS, 0, 1];
  const body = root.querySelector("tbody"), heads = [...root.querySelectorAll("thead th")];
  const state = { page: 0, text: "", status: "", by: -1, down: false };

  function made(tag, text, more) {
    const element = document.createElement(tag);
    if (text !== undefined) { element.textContent = text; }
    return Object.assign(element, more || {});
  }
  function link(text, address) {
    return made("a", text, { href: address, target: "_blank", rel: "noopener" });
  }
  function line(row) {
    const [label, status, name, file, page, told] = row, tr = made("tr");
    const pill = made("span", status.replace("_", " "), { className: "rf-pill rf-" + status });
    const cells = [label, pill, file ? link(name, file) : name, page ? link("open page", page) : "", told];
    for (const cell of cells) {
      const td = made("td");
      td.append(cell);
      tr.append(td);
    }
    return tr;
  }
  function compared(one, other) {
    const [a, b] = [one[state.by], other[state.by]].map(value => value === null ? "" : value);
    const order = String(a).localeCompare(String(b), undefined, { numeric: true });
    return state.down ? -order : order;
  }
  function found() {
    const words = state.text.toLowerCase();
    const kept = rows.filter(row => (!state.status || row[STATUS] === state.status) &&
      (!words || row.some(value => value !== null && String(value).toLowerCase().includes(words))));
    return state.by < 0 ? kept : kept.sort(compared);
  }
  function show() {
    const kept = found(), pages = Math.max(1, Math.ceil(kept.length / PAGE));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    body.replaceChildren(...kept.slice(state.page * PAGE, (state.page + 1) * PAGE).map(line));
    where.textContent = `${kept.length.toLocaleString()} rows, page ${state.page + 1} of ${pages}`;
    before.disabled = state.page === 0;
    after.disabled = state.page === pages - 1;
    heads.forEach((head, at) => head.setAttribute("aria-sort",
      at !== state.by ? "none" : state.down ? "descending" : "ascending"));
  }
  function turned(pages) { state.page += pages; show(); }

  const tools = made("div", undefined, { className: "rf-tools" });
  const search = made("input", undefined, { type: "search", placeholder: "filter rows", ariaLabel: "filter rows" });
  search.addEventListener("input", () => { state.text = search.value; state.page = 0; show(); });
  const choice = made("select", undefined, { ariaLabel: "status" });
  choice.append(made("option", "every status", { value: "" }));
  for (const status of new Set(rows.map(row => row[STATUS]))) {
    choice.append(made("option", status.replace("_", " "), { value: status }));
  }
  choice.addEventListener("change", () => { state.status = choice.value; state.page = 0; show(); });
  const before = made("button", "‹", { type: "button", ariaLabel: "previous page" });
  const after = made("button", "›", { type: "button", ariaLabel: "next page" });
  const where = made("span", "", { className: "rf-soft" });
  before.addEventListener("click", () => turned(-1));
  after.addEventListener("click", () => turned(1));
  tools.append(search, choice, before, after, where);
  root.querySelector("table").before(tools);
  const note = root.querySelector(".rf-more");
  if (note) { note.remove(); }
  heads.forEach((head, at) => {
    head.tabIndex = 0;
    const sorted = () => { state.down = state.by === at && !state.down; state.by = at; show(); };
    head.addEventListener("click", sorted);
    head.addEventListener("keydown", event => { if (event.key === "Enter") { sorted(); } });
  });
  show();
})();
