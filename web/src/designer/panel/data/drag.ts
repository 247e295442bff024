/** What is dragged from the data panes into a parameter: JavaScript that reads a field. */

export const CODE_TYPE = 'application/x-pyagent-expression';

/** Give a dragged thing its code; other programs get the template as text. */
export function carryCode(transfer: DataTransfer, code: string): void {
  transfer.setData(CODE_TYPE, code);
  transfer.setData('text/plain', `{{ ${code} }}`);
  transfer.effectAllowed = 'copy';
}
