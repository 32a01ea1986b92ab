/** The stylesheet: one file for the browser, in parts by subject. */
import tokens from "../../../static/css/tokens.css" with { type: "text" };
import base from "../../../static/css/base.css" with { type: "text" };
import partsState from "../../../static/css/parts/state.css" with { type: "text" };
import partsButtons from "../../../static/css/parts/buttons.css" with { type: "text" };
import partsMenus from "../../../static/css/parts/menus.css" with { type: "text" };
import partsFields from "../../../static/css/parts/fields.css" with { type: "text" };
import partsChips from "../../../static/css/parts/chips.css" with { type: "text" };
import partsNotices from "../../../static/css/parts/notices.css" with { type: "text" };
import partsMeasures from "../../../static/css/parts/measures.css" with { type: "text" };
import partsTables from "../../../static/css/parts/tables.css" with { type: "text" };
import partsEmpty from "../../../static/css/parts/empty.css" with { type: "text" };
import partsDialogs from "../../../static/css/parts/dialogs.css" with { type: "text" };
import forms from "../../../static/css/forms.css" with { type: "text" };
import vmsCapacity from "../../../static/css/vms/capacity.css" with { type: "text" };
import vmsRows from "../../../static/css/vms/rows.css" with { type: "text" };
import vmsList from "../../../static/css/vms/list.css" with { type: "text" };
import vmsPhone from "../../../static/css/vms/phone.css" with { type: "text" };
import operation from "../../../static/css/operation.css" with { type: "text" };
import create from "../../../static/css/create.css" with { type: "text" };
import types from "../../../static/css/types.css" with { type: "text" };
import images from "../../../static/css/images.css" with { type: "text" };
import checkpoints from "../../../static/css/checkpoints.css" with { type: "text" };
import ready from "../../../static/css/ready.css" with { type: "text" };
import vm from "../../../static/css/vm.css" with { type: "text" };
import consolePage from "../../../static/css/console.css" with { type: "text" };
import destroy from "../../../static/css/destroy.css" with { type: "text" };
import setup from "../../../static/css/setup.css" with { type: "text" };
import everywhere from "../../../static/css/everywhere.css" with { type: "text" };
import narrowColumns from "../../../static/css/narrow/columns.css" with { type: "text" };
import narrowFrame from "../../../static/css/narrow/frame.css" with { type: "text" };
import narrowList from "../../../static/css/narrow/list.css" with { type: "text" };
import narrowOperation from "../../../static/css/narrow/operation.css" with { type: "text" };
import narrowForms from "../../../static/css/narrow/forms.css" with { type: "text" };
import touch from "../../../static/css/touch.css" with { type: "text" };
import older from "../../../static/css/older.css" with { type: "text" };

/** The first part names the layers, so that their order is set. */
export const STYLESHEET = [
  tokens,
  base,
  partsState,
  partsButtons,
  partsMenus,
  partsFields,
  partsChips,
  partsNotices,
  partsMeasures,
  partsTables,
  partsEmpty,
  partsDialogs,
  forms,
  vmsCapacity,
  vmsRows,
  vmsList,
  vmsPhone,
  operation,
  create,
  types,
  images,
  checkpoints,
  ready,
  vm,
  consolePage,
  destroy,
  setup,
  everywhere,
  narrowColumns,
  narrowFrame,
  narrowList,
  narrowOperation,
  narrowForms,
  touch,
  older,
].join("\n");
