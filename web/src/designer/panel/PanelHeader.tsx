import { ActionIcon, Anchor, Badge, Group, Menu, Text, Tooltip } from '@mantine/core';
import { IconArrowLeft, IconArrowRight, IconExternalLink, IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'wouter';
import type { NodeTypeDetails } from '@/api/nodeTypes';
import { apply, useEditor } from '@/editor/store';
import { labelOf, type NodeSpec } from '@/graph/model';
import { nodeOf } from '@/graph/read';
import { renameNode } from '@/graph/rename';
import { StatusBadge } from '@/runs/StatusBadge';
import { words } from '@/text/language';
import { usePanel } from './context';
import { neighbours } from './neighbours';
import classes from './panel.module.css';
import { RunButtons } from './run/RunButtons';
import { useSteps } from './steps';

/** The node's name, type and status, ways to its neighbours, and its run buttons. */
export function PanelHeader(props: {
  readonly type: NodeTypeDetails | undefined;
  readonly onClose: () => void;
  readonly onNext: () => void;
}) {
  const { editor, node, use, sample } = usePanel();
  const graph = useEditor(editor, (state) => state.history.graph);
  const spec = nodeOf(graph, node);
  const step = useSteps(sample.run, node).find((one) => one.step === sample.step);
  const { before, after } = neighbours(graph, node);
  return (
    <header className={classes.head}>
      <Way
        nodes={before}
        label={words.panel.previous}
        none={words.panel.noPrevious}
        icon={<IconArrowLeft size={18} />}
      />
      <div className={classes.icon} aria-hidden>
        {props.type && (
          <svg
            viewBox="0 0 24 24"
            width={20}
            height={20}
            fill="none"
            stroke="currentColor"
            strokeWidth={1.75}
            aria-hidden
          >
            <path d={props.type.icon_svg} strokeLinecap="round" strokeLinejoin="round" />
          </svg>
        )}
      </div>
      <div className={classes.titles}>
        {spec && <Name key={node} spec={spec} />}
        <Group gap={8} wrap="nowrap">
          <Text size="xs" c="dimmed" truncate>
            {props.type?.title ?? use} · {use} · {node}
          </Text>
          <Anchor component={Link} href={`/nodes/${use}`} size="xs" aria-label={`${words.panel.docs}: ${use}`}>
            <IconExternalLink size={12} />
          </Anchor>
          {spec?.disabled && (
            <Badge size="sm" variant="default" tt="none">
              {words.panel.disabled}
            </Badge>
          )}
        </Group>
      </div>
      {step && (
        <Group gap={6} wrap="nowrap" role="status">
          <StatusBadge status={step.retrying ? 'retrying' : step.status} />
          {sample.run && (
            <Anchor component={Link} href={`/runs/${sample.run}`} size="xs">
              {words.panel.openRun}
            </Anchor>
          )}
        </Group>
      )}
      <RunButtons />
      {after.length > 0 ? (
        <Way nodes={after} label={words.panel.next} icon={<IconArrowRight size={18} />} />
      ) : (
        <Tooltip label={words.panel.addNext}>
          <ActionIcon
            variant="default"
            size="lg"
            aria-label={words.panel.addNext}
            disabled={props.type?.ports_out?.length === 0}
            onClick={props.onNext}
          >
            <IconPlus size={18} />
          </ActionIcon>
        </Tooltip>
      )}
      <ActionIcon variant="subtle" color="gray" aria-label={words.panel.close} onClick={props.onClose}>
        <IconX size={18} />
      </ActionIcon>
    </header>
  );
}

/** The name: what people see. The id stays, and expressions that name the node follow. */
function Name({ spec }: { readonly spec: NodeSpec }) {
  const { editor } = usePanel();
  const [draft, setDraft] = useState<string | null>(null);
  const leave = () => {
    const name = draft?.trim();
    if (draft !== null && name !== (spec.name ?? '')) {
      apply(editor, words.panel.rename, renameNode(spec.id, name === spec.id ? '' : (name ?? '')));
    }
    setDraft(null);
  };
  return (
    <input
      className={classes.rename}
      aria-label={words.panel.name}
      value={draft ?? labelOf(spec)}
      onChange={(event) => setDraft(event.currentTarget.value)}
      onBlur={leave}
      onKeyDown={(event) => {
        if (event.key === 'Enter') event.currentTarget.blur();
        if (event.key === 'Escape' && draft !== null) {
          event.stopPropagation();
          setDraft(null);
        }
      }}
    />
  );
}

/** A button to the node before or after; of several one is chosen. */
function Way(props: {
  readonly nodes: readonly NodeSpec[];
  readonly label: string;
  readonly none?: string;
  readonly icon: React.ReactNode;
}) {
  const { editor } = usePanel();
  const { nodes, label } = props;
  const first = nodes[0];
  const go = (id: string) => editor.setState({ opened: id });
  if (nodes.length > 1) {
    return (
      <Menu>
        <Menu.Target>
          <ActionIcon variant="default" size="lg" aria-label={label}>
            {props.icon}
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {nodes.map((one) => (
            <Menu.Item key={one.id} onClick={() => go(one.id)}>
              {labelOf(one)}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    );
  }
  const text = first ? `${label}: ${labelOf(first)}` : (props.none ?? label);
  return (
    <Tooltip label={text}>
      <ActionIcon variant="default" size="lg" aria-label={text} disabled={!first} onClick={() => first && go(first.id)}>
        {props.icon}
      </ActionIcon>
    </Tooltip>
  );
}
