/*
 * Keeps open menus inside the window: a menu opens to the side that has more room. Where that is too little, it stands
 * beside its button, and scrolls only if the window is lower than the menu; on a narrow page it is a sheet at the foot of the window.
 */
"use strict";

const NARROW = matchMedia("(width < 52rem)");
/* Between a menu and its button, and between a menu and the edge of the window. */
const GAP_PX = 8;
/* A menu that is lower than this cannot be read. */
const LEAST_PX = 96;

const openMenus = () => document.querySelectorAll("details.menu[open]");
const panelOf = (menu) => menu.querySelector(".panel");
const isSheet = (panel) => panel.matches("[popover]") && panel.matches(":popover-open");

function settle(menu) {
  const panel = panelOf(menu);
  if (panel === null) return;
  panel.style.maxBlockSize = "";
  panel.style.inset = "";
  if (NARROW.matches && "popover" in panel) return raise(panel);
  lower(panel);
  const button = menu.querySelector("summary").getBoundingClientRect();
  const header = Math.max(document.querySelector(".site")?.getBoundingClientRect().bottom ?? 0, 0);
  const end = document.documentElement.clientHeight;
  const above = button.top - header - 2 * GAP_PX;
  const below = end - button.bottom - 2 * GAP_PX;
  const isUp = panel.scrollHeight > below && above > below;
  menu.classList.toggle("up", isUp);
  const isBeside = panel.scrollHeight > Math.max(above, below) &&
    button.left > panel.offsetWidth + 2 * GAP_PX;
  const room = isBeside ? end - header - 2 * GAP_PX : isUp ? above : below;
  panel.style.maxBlockSize = `${Math.max(LEAST_PX, Math.floor(room))}px`;
  if (!isBeside) return;
  const highest = Math.min(button.top, end - GAP_PX - Math.min(panel.scrollHeight, room));
  const top = Math.round(Math.max(highest, header + GAP_PX) - menu.getBoundingClientRect().top);
  panel.style.inset = `${top}px calc(100% + ${GAP_PX / 2}px) auto auto`;
}

function raise(panel) {
  panel.popover = "manual";
  if (!isSheet(panel)) panel.showPopover();
}

function lower(panel) {
  if (isSheet(panel)) panel.hidePopover();
  panel.removeAttribute("popover");
}

document.addEventListener("toggle", ({ target }) => {
  if (!target.matches("details.menu")) return;
  const panel = panelOf(target);
  if (target.open) settle(target);
  else if (panel !== null) lower(panel);
}, true);

/* A live update of a row takes away what was done to its menu. */
const settleAll = () => openMenus().forEach(settle);
document.addEventListener("htmx:after:swap", settleAll);
addEventListener("resize", settleAll);

/* A tap beside a sheet closes it, and does nothing else. */
document.addEventListener("click", (event) => {
  for (const menu of openMenus()) {
    const panel = panelOf(menu);
    if (panel === null || !isSheet(panel) || panel.contains(event.target)) continue;
    event.preventDefault();
    event.stopPropagation();
    menu.open = false;
  }
}, true);
