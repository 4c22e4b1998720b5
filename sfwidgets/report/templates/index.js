// The index of a batch: press a column's name to sort by it, type to search. Without this script the table is in order of the files.
const body = document.querySelector("tbody");
const rows = [...body.rows].map((row, order) => ({ row, order, text: row.textContent.toLowerCase() }));
const value = ({ row }, column) => row.cells[column].dataset.value;
const compare = {
  text: new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare,
  number: (a, b) => a - b,
};

document.querySelectorAll("th[data-sort]").forEach((head, column) => {
  const button = document.createElement("button");
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    document.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = compare[head.dataset.sort];
    rows.sort((a, b) => {
      const [left, right] = [value(a, column), value(b, column)];
      if (left === "" || right === "") return (left === "") - (right === "") || a.order - b.order;  // what is not known comes last
      return (down ? order(right, left) : order(left, right)) || a.order - b.order;
    });
    body.append(...rows.map(({ row }) => row));
  });
});

const search = document.getElementById("search");
const failed = document.getElementById("failed");
const show = () => {
  const wanted = search.value.trim().toLowerCase();
  let seen = 0;
  for (const { row, text } of rows) {
    row.hidden = !text.includes(wanted) || (failed?.checked && !row.classList.contains("failed"));
    seen += !row.hidden;
  }
  document.getElementById("count").textContent = seen === rows.length ? "" : `${seen} of ${rows.length} shown`;
};
search.addEventListener("input", show);
failed?.addEventListener("input", show);
document.querySelector(".tools").hidden = false;
