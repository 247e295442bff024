/** What is dragged from the palette onto the canvas: a node type, by its `use`. */
export const NODE_DRAG = 'application/x-pyagent-node';
