import { select, useEditor } from '@/editor/store';
import { labelOf } from '@/graph/model';
import { nodeOf, pathTo } from '@/graph/read';
import { words } from '@/text/language';
import classes from './Breadcrumbs.module.css';
import { useCanvas } from './context';

/** The levels from the graph down to what is shown; nothing at the top. */
export function Breadcrumbs() {
  const { editor, actions } = useCanvas();
  const level = useEditor(editor, (state) => state.level);
  const graph = useEditor(editor, (state) => state.history.graph);
  if (level === null) return null;
  const path = pathTo(graph, level);
  return (
    <nav className={classes.path} aria-label={words.canvas.level} data-overlay>
      <ol>
        {path.map((at) => {
          const node = at === null ? null : nodeOf(graph, at);
          const label = node ? labelOf(node) : (graph.name ?? words.canvas.root);
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
