import { select, useEditor } from '@/editor/store';
import { labelOf } from '@/graph/model';
import { nodeOf, pathTo } from '@/graph/read';
import { words } from '@/text/language';
import classes from './Breadcrumbs.module.css';
import { useCanvas } from './context';

/** The graphs that were gone through, and the levels from this one down to what is shown; nothing at the top. */
export function Breadcrumbs() {
  const { editor, actions, callers } = useCanvas();
  const level = useEditor(editor, (state) => state.level);
  const graph = useEditor(editor, (state) => state.history.graph);
  if (level === null && !callers.length) return null;
  const path = pathTo(graph, level);
  return (
    <nav className={classes.path} aria-label={words.canvas.level} data-overlay>
      <ol>
        {callers.map((name, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the same graph may have been gone through twice
          <li key={`${index} ${name}`}>
            <button type="button" onClick={() => actions.open('caller', index)}>
              {name}
            </button>
          </li>
        ))}
        {path.map((at) => {
          const node = at === null ? null : nodeOf(graph, at);
          const label = node ? labelOf(node) : graph.name || graph.id || words.canvas.root;
          return (
            <li key={at ?? '#'}>
              {at === level ? (
                <span aria-current="location">{label}</span>
              ) : (
                <button
                  type="button"
                  onClick={() => {
                    editor.setState({ level: at });
                    select(editor, {});
                    requestAnimationFrame(() => actions.view.fit());
                  }}
                >
                  {label}
                </button>
              )}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
