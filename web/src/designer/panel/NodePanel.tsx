import { ActionIcon, Loader, Modal, Tabs, Tooltip, VisuallyHidden } from '@mantine/core';
import { useLocalStorage, useMediaQuery } from '@mantine/hooks';
import type { RJSFSchema } from '@rjsf/utils';
import { IconLayoutSidebarLeftExpand, IconLayoutSidebarRightExpand } from '@tabler/icons-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useNodeType, useNodeTypes } from '@/api/nodeTypes';
import { type OriginView, useLastRun } from '@/api/runData';
import { type Editor, settle, useEditor } from '@/editor/store';
import type { JsonObject } from '@/graph/model';
import { labelOf } from '@/graph/model';
import { nodeOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { type Panel, PanelContext, type Sample } from './context';
import { type Looking, LookingContext, type Target } from './data/context';
import { resolver } from './form/kinds';
import { ParameterForm, UnknownParameters } from './form/ParameterForm';
import { NodeDocs } from './NodeDocs';
import { PanelHeader } from './PanelHeader';
import { Problems, useProblems } from './Problems';
import classes from './panel.module.css';
import { InputPane } from './panes/InputPane';
import { OutputPane } from './panes/OutputPane';
import { Splitter } from './Splitter';
import { NodeSettings } from './settings/NodeSettings';
import { lastStep, useSteps } from './steps';
import { useFieldFocus } from './useFieldFocus';

interface Props {
  readonly editor: Editor;
  readonly nodeId: string;
  readonly onClose: () => void;
  /** Close it and add the node that comes next. */
  readonly onNext?: () => void;
}

/** A node with all that belongs to it: what comes in, its parameters and settings, what comes out. */
export default function NodePanel({ editor, nodeId, onClose, onNext }: Props) {
  const node = useEditor(editor, (state) => nodeOf(state.history.graph, nodeId));
  const small = useMediaQuery('(max-width: 62em)') ?? false;
  useEffect(() => {
    // A node that goes while its panel is open, by undo or by another hand, closes it.
    if (!node) onClose();
  }, [node, onClose]);
  if (!node) return null;
  return (
    <Modal.Root
      opened
      onClose={() => {
        // Escape is the key of the dialog that lies over it.
        if (document.querySelectorAll('[role="dialog"][aria-modal="true"]').length > 1) return;
        settle(editor);
        onClose();
      }}
      fullScreen={small}
      size="calc(100vw - 48px)"
      yOffset={24}
      xOffset={24}
      padding={0}
      transitionProps={{ duration: 0 }}
    >
      <Modal.Overlay />
      <Modal.Content aria-label={labelOf(node)} styles={{ content: { maxHeight: 'none', overflow: 'hidden' } }}>
        <Modal.Body>
          <Opened
            key={nodeId}
            editor={editor}
            node={nodeId}
            onClose={onClose}
            onNext={() => {
              settle(editor);
              onNext?.();
            }}
          />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

const START: Sample = { run: null, step: null, item: 0 };
const NO_ORIGINS: readonly OriginView[] = [];
const SIDES = ['input', 'output'] as const;

function Opened({
  editor,
  node,
  onClose,
  onNext,
}: {
  readonly editor: Editor;
  readonly node: string;
  readonly onClose: () => void;
  readonly onNext: () => void;
}) {
  const graph = useEditor(editor, (state) => state.id);
  const shown = useEditor(editor, (state) => state.run);
  const use = useEditor(editor, (state) => nodeOf(state.history.graph, node)?.use ?? '');
  const known = useNodeTypes();
  const type = useNodeType(use);
  const [said, setSaid] = useState('');
  const [sample, setSampleState] = useState<Sample>(START);
  const [lineage, setLineage] = useState(NO_ORIGINS);
  const target = useRef<Target | null>(null);
  const content = useRef<HTMLDivElement>(null);
  useFieldFocus(editor, content);
  const schema = type?.params_schema as RJSFSchema | undefined;
  const resolve = useMemo(() => resolver((schema ?? {}) as JsonObject), [schema]);
  const setSample = useCallback((part: Partial<Sample>) => setSampleState((old) => ({ ...old, ...part })), []);

  // The run that is shown on the canvas, else the graph's last one; of it the node's last step.
  const { data: last } = useLastRun(graph, shown === null);
  const run = shown ?? last ?? null;
  const steps = useSteps(run, node);
  const newest = lastStep(steps)?.step ?? null;
  const chosen = steps.some((step) => step.step === sample.step) ? sample.step : newest;
  const current = useMemo<Sample>(() => ({ run, step: chosen, item: sample.item }), [run, chosen, sample.item]);

  const panel = useMemo<Panel>(
    () => ({
      editor,
      node,
      use,
      resolve,
      target,
      sample: current,
      setSample,
      say: setSaid,
    }),
    [editor, node, use, resolve, current, setSample],
  );
  const setItem = useCallback((item: number) => setSample({ item }), [setSample]);
  const looking = useMemo<Looking>(
    () => ({ target, item: current.item, setItem, lineage, setLineage, say: setSaid }),
    [current.item, setItem, lineage],
  );
  const missing = known.size > 0 && !known.has(use);
  return (
    <PanelContext value={panel}>
      <div ref={content} className={classes.content}>
        <PanelHeader type={type} onClose={onClose} onNext={onNext} />
        <LookingContext value={looking}>
          <Panes>
            <Tabs defaultValue="parameters" className={classes.tabs} keepMounted={false}>
              <Tabs.List px="sm">
                <Tabs.Tab value="parameters" data-autofocus>
                  {words.panel.parameters}
                </Tabs.Tab>
                <Tabs.Tab value="settings">{words.panel.settings}</Tabs.Tab>
                <Tabs.Tab value="docs">{words.panel.docs}</Tabs.Tab>
              </Tabs.List>
              <Tabs.Panel value="parameters" className={classes.tab}>
                <NodeProblems />
                {missing ? (
                  <UnknownParameters />
                ) : schema ? (
                  <ParameterForm key={use} schema={schema} />
                ) : (
                  <Loader size="sm" m="md" aria-label={words.shell.loading} />
                )}
              </Tabs.Panel>
              <Tabs.Panel value="settings" className={classes.tab}>
                <NodeSettings type={type} />
              </Tabs.Panel>
              <Tabs.Panel value="docs" className={classes.tab}>
                <NodeDocs type={type} />
              </Tabs.Panel>
            </Tabs>
          </Panes>
        </LookingContext>
        <VisuallyHidden role="status" aria-live="polite">
          {said}
        </VisuallyHidden>
      </div>
    </PanelContext>
  );
}

/** Problems of the node as a whole: its type, its edges. */
function NodeProblems() {
  const own = useProblems('', false);
  const type = useProblems('use', true);
  return <Problems problems={[...own, ...type]} />;
}

/** Input and output beside what stands in the middle; each can be made wider, or hidden. */
function Panes({ children }: { readonly children: React.ReactNode }) {
  const [widths, setWidths] = useLocalStorage({
    key: 'pyagent.panel.widths',
    defaultValue: { input: 30, output: 32 },
    getInitialValueInEffect: false,
  });
  const [hidden, setHidden] = useLocalStorage<readonly string[]>({
    key: 'pyagent.panel.hidden',
    defaultValue: [],
    getInitialValueInEffect: false,
  });
  const place = useRef<HTMLDivElement>(null);
  const hide = (side: string) => setHidden([...hidden, side]);
  const sides = SIDES.map((side) => {
    const title = words.panel[side];
    const Icon = side === 'input' ? IconLayoutSidebarLeftExpand : IconLayoutSidebarRightExpand;
    const Pane = side === 'input' ? InputPane : OutputPane;
    if (hidden.includes(side)) {
      const label = fill(words.panel.expand, { pane: title });
      return (
        <div key={side} className={classes.strip}>
          <Tooltip label={label}>
            <ActionIcon
              size="sm"
              variant="subtle"
              color="gray"
              aria-label={label}
              onClick={() => setHidden(hidden.filter((one) => one !== side))}
            >
              <Icon size={16} />
            </ActionIcon>
          </Tooltip>
        </div>
      );
    }
    const splitter = (
      <Splitter
        key={`${side}-splitter`}
        label={fill(words.panel.resize, { pane: title })}
        value={widths[side]}
        place={place}
        from={side === 'input' ? 'start' : 'end'}
        onChange={(width) => setWidths({ ...widths, [side]: width })}
      />
    );
    const pane = (
      <div key={side} className={classes.side} style={{ '--side': `${widths[side]}%` } as React.CSSProperties}>
        <Pane onCollapse={() => hide(side)} />
      </div>
    );
    return side === 'input' ? [pane, splitter] : [splitter, pane];
  });
  return (
    <div ref={place} className={classes.panes}>
      {sides[0]}
      <section className={classes.middle} aria-label={words.panel.parameters}>
        {children}
      </section>
      {sides[1]}
    </div>
  );
}
