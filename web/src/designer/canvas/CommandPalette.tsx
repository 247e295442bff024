import { Kbd, useComputedColorScheme } from '@mantine/core';
import { useCallback, useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { ACTIONS, perform, usable } from '@/actions';
import { shownKeys } from '@/actions/keys';
import { useGraphs } from '@/api/graphs';
import { domainOf } from '@/api/nodeTypes';
import { graphOf, select } from '@/editor/store';
import { labelOf } from '@/graph/model';
import { placesOf } from '@/graph/read';
import { words } from '@/text/language';
import { type Choice, ChooseList } from '@/widgets/ChooseList';
import classes from './CommandPalette.module.css';
import { useCanvas } from './context';
import type { DialogProps } from './Dialogs';
import { ranked } from './search';
import { TypeIcon } from './TypeIcon';

const GROUPS: { readonly [group: string]: string } = words.canvas.groups;
const MOST = 60;

/** Everything that can be done, every node of the graph, every graph: by its name. */
export default function CommandPalette({ scene, onClose }: DialogProps) {
  const { actions, editor } = useCanvas();
  const dark = useComputedColorScheme('light') === 'dark';
  const [, navigate] = useLocation();
  const [query, setQuery] = useState('');
  const { data: graphs } = useGraphs();
  const commands = useMemo(
    (): readonly Choice[] =>
      ACTIONS.filter((one) => !one.hidden && usable(one, actions)).map((one) => ({
        key: `action ${one.id}`,
        group: GROUPS[one.group] ?? one.group,
        title: one.title,
        aside: one.keys?.[0] && <Keys chord={one.keys[0]} />,
      })),
    [actions],
  );
  const all = useMemo((): readonly Choice[] => {
    const nodes = [...placesOf(graphOf(editor)).values()].map(({ node }) => {
      const type = scene.cards.get(node.id)?.type;
      return {
        key: `node ${node.id}`,
        group: GROUPS.nodes ?? '',
        title: labelOf(node),
        detail: node.use,
        icon: type && <TypeIcon icon={type.icon_svg} domain={domainOf(type.use)} dark={dark} />,
      };
    });
    const others = (graphs ?? []).map((graph) => ({
      key: `graph ${graph.id}`,
      group: GROUPS.graphs ?? '',
      title: graph.name || graph.id,
      detail: graph.id,
    }));
    return [...commands, ...nodes, ...others];
  }, [commands, editor, scene, graphs, dark]);
  const find = useCallback(
    (text: string): readonly Choice[] => {
      if (!text.trim()) return commands;
      const best = ranked(all, text, (one) => [one.title, one.detail ?? '']).slice(0, MOST);
      // Entries of a group stand together, the group of the best one first.
      const groups = [...new Set(best.map((one) => one.group))];
      return groups.flatMap((group) => best.filter((one) => one.group === group));
    },
    [commands, all],
  );
  return (
    <div className={classes.shade} onPointerDown={(event) => event.target === event.currentTarget && onClose()}>
      <div className={classes.dialog} role="dialog" aria-modal="true" aria-label={words.canvas.commands}>
        <ChooseList
          label={words.canvas.commands}
          placeholder={words.canvas.searchCommands}
          query={query}
          onQuery={setQuery}
          find={find}
          nothing={words.canvas.noCommands}
          onClose={onClose}
          onChoose={({ key }) => {
            const [kind, id = ''] = key.split(' ', 2);
            onClose();
            if (kind === 'action') void perform(id, actions);
            else if (kind === 'graph') navigate(`/graphs/${id}`);
            else {
              const place = placesOf(graphOf(editor)).get(id);
              if (place && place.level !== editor.getState().level) editor.setState({ level: place.level });
              select(editor, { nodes: [id] });
              requestAnimationFrame(() => actions.view.reveal(id));
            }
          }}
        />
      </div>
    </div>
  );
}

export function Keys({ chord }: { readonly chord: string }) {
  return (
    <span className={classes.keys}>
      {shownKeys(chord).map((key) => (
        <Kbd key={key} size="xs">
          {key}
        </Kbd>
      ))}
    </span>
  );
}
