import { CloseButton, Text, useComputedColorScheme } from '@mantine/core';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { domainOf, type NodeTypeSummary, useNodeTypes } from '@/api/nodeTypes';
import { graphOf } from '@/editor/store';
import { nodesAt } from '@/graph/read';
import { words } from '@/text/language';
import { type Choice, ChooseList } from '@/widgets/ChooseList';
import { addOf, type PaletteFor } from './add';
import { useCanvas } from './context';
import type { DialogProps } from './Dialogs';
import { NODE_DRAG } from './drag';
import classes from './NodePalette.module.css';
import { fits } from './ports';
import { ranked } from './search';
import { TypeIcon } from './TypeIcon';

const CATEGORIES: { readonly [domain: string]: string } = words.canvas.categories;
const ORDER = ['triggers', 'flow', 'data', 'io', 'code', 'memory', 'pipeline', 'other'];

function categoryOf(type: NodeTypeSummary): string {
  if (type.kind === 'trigger') return 'triggers';
  const domain = domainOf(type.use);
  return domain in CATEGORIES ? domain : 'other';
}

/** All node types, by category or by what is searched; what does not fit where it was asked for is left out. */
export default function NodePalette({ argument, onClose }: DialogProps) {
  const wanted = (argument ?? {}) as PaletteFor;
  const { actions, editor } = useCanvas();
  const types = useNodeTypes();
  const dark = useComputedColorScheme('light') === 'dark';
  const [query, setQuery] = useState('');
  const panel = useRef<HTMLDivElement>(null);
  const { from } = wanted;
  const suitable = useMemo(() => {
    const inside = editor.getState().level !== null;
    const all = [...types.values()].filter((type) => {
      // Runs begin at the graph itself.
      if (inside && type.kind === 'trigger') return false;
      if (from) return fits(type, from);
      return !wanted.edge || (type.ports_in.length > 0 && type.ports_out?.length !== 0);
    });
    // A graph begins by hand before it begins by itself.
    const rank = (type: NodeTypeSummary) => (type.name === 'flow.manual' ? -1 : ORDER.indexOf(categoryOf(type)));
    return all.sort((one, other) => rank(one) - rank(other) || one.title.localeCompare(other.title));
  }, [types, from, wanted.edge, editor]);
  const find = useCallback(
    (text: string): readonly Choice[] => {
      const searched = text.trim() !== '';
      const found = searched ? ranked(suitable, text, (type) => [type.title, type.name, type.description]) : suitable;
      return found.map((type) => ({
        key: type.use,
        title: type.title,
        detail: firstLine(type.description),
        ...(!searched && { group: CATEGORIES[categoryOf(type)] ?? '' }),
        icon: <TypeIcon icon={type.icon_svg} domain={domainOf(type.use)} dark={dark} />,
        draggable: { type: NODE_DRAG, data: type.use },
      }));
    },
    [suitable, dark],
  );
  useEffect(() => {
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && !panel.current?.contains(event.target)) onClose();
    };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [onClose]);
  const started = nodesAt(graphOf(editor), null).length > 0;
  return (
    <div ref={panel} className={classes.panel} role="dialog" aria-label={words.canvas.addNode}>
      <div className={classes.head}>
        <Text fw={600}>
          {from || wanted.edge ? words.canvas.fits : started ? words.canvas.addNode : words.canvas.empty}
        </Text>
        <CloseButton aria-label={words.canvas.close} onClick={onClose} />
      </div>
      <ChooseList
        label={words.canvas.searchLabel}
        placeholder={words.canvas.search}
        query={query}
        onQuery={setQuery}
        find={find}
        ready={types.size > 0}
        nothing={words.canvas.noNodes}
        onClose={onClose}
        onChoose={({ key }) => {
          const type = types.get(key);
          onClose();
          if (type) addOf(actions, type, wanted);
        }}
      />
    </div>
  );
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.replaceAll('`', '') ?? '';
}
