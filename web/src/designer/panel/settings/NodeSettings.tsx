import { Fieldset, Select, Stack, Switch, TagsInput, Text, Textarea } from '@mantine/core';
import type { NodeTypeDetails } from '@/api/nodeTypes';
import { apply, useEditor } from '@/editor/store';
import { COLORS, type Color, type Json, type JsonObject, type NodeSpec } from '@/graph/model';
import { setColor, setNodeField, setNodePart } from '@/graph/parameters';
import { nodeOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { usePanel } from '../context';
import { useTyped } from '../form/useParameter';
import { edgesInto } from '../neighbours';
import classes from '../panel.module.css';
import { Choice, DurationSetting, NumberSetting } from './inputs';
import { StateWrites } from './StateWrites';

const t = words.nodeSettings;

/** What holds for the node whatever its type: failures, joins, effects, state, notes. */
export function NodeSettings({ type }: { readonly type: NodeTypeDetails | undefined }) {
  const { editor, node } = usePanel();
  const spec = useEditor(editor, (state) => nodeOf(state.history.graph, node));
  const facts = useEditor(editor, (state) => state.checked?.facts[node]);
  const inputs = useEditor(editor, (state) => edgesInto(state.history.graph, node).length);
  const color = useEditor(editor, (state) => state.history.graph.canvas?.colors?.[node]);
  if (!spec) return null;
  const set = <K extends keyof NodeSpec>(key: K, value: NodeSpec[K] | undefined) =>
    apply(editor, key, setNodeField(node, key, value));
  const retry = (spec.retry ?? {}) as JsonObject;
  const part = (group: 'retry' | 'loop' | 'cache', key: string) => (value: Json | undefined, merge: string | null) =>
    apply(
      editor,
      key,
      setNodePart(node, group, key, value),
      merge === null ? null : `${node}/${group}/${key}#${merge}`,
    );
  const own = type?.effects ?? t.byParameters;
  return (
    <Stack gap="md" pt="sm">
      <Notes spec={spec} />
      <Fieldset legend={t.general}>
        <div className={classes.grid}>
          <Switch
            label={t.disabled}
            description={t.disabledHint}
            checked={spec.disabled ?? false}
            onChange={(event) => set('disabled', event.currentTarget.checked || undefined)}
          />
          <Switch
            label={t.alwaysOutput}
            description={t.alwaysOutputHint}
            checked={spec.always_output ?? false}
            onChange={(event) => set('always_output', event.currentTarget.checked || undefined)}
          />
          <Select
            label={t.color}
            data={[...COLORS]}
            value={color ?? null}
            clearable
            placeholder={t.noColor}
            onChange={(value) => apply(editor, t.color, setColor(node, (value as Color | null) ?? undefined))}
          />
        </div>
      </Fieldset>
      <Fieldset legend={t.failures}>
        <Choice
          label={t.onError}
          field="on_error"
          options={{ stop: t.stop, continue: t.continue, route: t.route }}
          standard="stop"
          value={spec.on_error}
          onChange={(value) => set('on_error', value as NodeSpec['on_error'])}
        />
        <div className={classes.grid}>
          <NumberSetting
            label={t.attempts}
            field="retry/attempts"
            value={retry.attempts}
            standard={1}
            most={1000}
            onChange={part('retry', 'attempts')}
          />
          {spec.retry && (
            <>
              <Choice
                label={t.backoff}
                field="retry/backoff"
                options={{ fixed: t.fixed, exponential: t.exponential }}
                standard="fixed"
                value={retry.backoff as string | undefined}
                onChange={(value) => part('retry', 'backoff')(value, null)}
              />
              <DurationSetting
                label={t.initial}
                field="retry/initial"
                value={retry.initial}
                standard="1s"
                onChange={part('retry', 'initial')}
              />
              <DurationSetting label={t.max} field="retry/max" value={retry.max} onChange={part('retry', 'max')} />
              <Switch
                label={t.jitter}
                mt={30}
                checked={retry.jitter === true}
                onChange={(event) => part('retry', 'jitter')(event.currentTarget.checked || undefined, null)}
              />
              <TagsInput
                label={t.on}
                description={t.onHint}
                data={['node.timeout', 'node.failed']}
                value={Array.isArray(retry.on) ? (retry.on as string[]) : []}
                onChange={(codes) => part('retry', 'on')(codes.length ? codes : undefined, null)}
              />
            </>
          )}
          <DurationSetting
            label={t.timeout}
            field="timeout"
            value={spec.timeout}
            onChange={(value) => set('timeout', value as string | undefined)}
          />
          <DurationSetting
            label={t.idleTimeout}
            field="idle_timeout"
            value={spec.idle_timeout}
            onChange={(value) => set('idle_timeout', value as string | undefined)}
          />
        </div>
      </Fieldset>
      <Fieldset legend={t.effects}>
        <Text size="xs" c="dimmed" mb={6}>
          {t.effectsHint}
        </Text>
        <div className={classes.grid}>
          <Choice
            label={t.effects}
            field="effects"
            options={{
              own: fill(t.typesOwn, { effects: own }),
              none: t.none,
              idempotent: t.idempotent,
              once: t.once,
            }}
            standard="own"
            value={spec.effects}
            onChange={(value) => set('effects', value as NodeSpec['effects'])}
          />
          <Choice
            label={t.onUnknown}
            field="on_unknown"
            options={{ ask: t.ask, retry: t.retry, fail: t.fail }}
            standard="ask"
            value={spec.on_unknown}
            onChange={(value) => set('on_unknown', value as NodeSpec['on_unknown'])}
          />
        </div>
      </Fieldset>
      {(inputs > 1 || spec.join !== undefined) && (
        <Joining spec={spec} inputs={inputs - (facts?.back_edges.length ?? 0)} set={set} />
      )}
      {(facts?.loop_header || spec.loop) && (
        <Fieldset legend={t.loop}>
          <NumberSetting
            label={t.loopMax}
            field="loop/max"
            value={spec.loop?.max}
            standard={1000}
            most={1_000_000}
            onChange={part('loop', 'max')}
          />
        </Fieldset>
      )}
      <Fieldset legend={t.reuse}>
        <div className={classes.grid}>
          <DurationSetting label={t.cache} field="cache/ttl" value={spec.cache?.ttl} onChange={part('cache', 'ttl')} />
          <TagsInput
            label={t.runsOn}
            description={t.runsOnHint}
            value={[...(spec.runs_on?.labels ?? [])]}
            onChange={(labels) => set('runs_on', labels.length ? { labels } : undefined)}
          />
        </div>
      </Fieldset>
      <Fieldset legend={t.state}>
        <StateWrites />
      </Fieldset>
    </Stack>
  );
}

function Notes({ spec }: { readonly spec: NodeSpec }) {
  const { editor, node } = usePanel();
  const typed = useTyped(spec.notes ?? '', (text, merge) =>
    apply(editor, t.notes, setNodeField(node, 'notes', text === '' ? undefined : text), `${node}/notes#${merge}`),
  );
  return (
    <Textarea
      label={t.notes}
      description={t.notesHint}
      autosize
      minRows={2}
      maxRows={12}
      value={typed.text}
      onChange={(event) => typed.type(event.currentTarget.value)}
      onBlur={typed.leave}
    />
  );
}

function Joining(props: {
  readonly spec: NodeSpec;
  readonly inputs: number;
  readonly set: <K extends keyof NodeSpec>(key: K, value: NodeSpec[K] | undefined) => void;
}) {
  const { spec, inputs, set } = props;
  const join = spec.join ?? 'all';
  const count = /^(\d+)\s+of\s+(\d+)$/.exec(join);
  return (
    <Fieldset legend={t.joining}>
      <div className={classes.grid}>
        <Choice
          label={t.join}
          field="join"
          options={{ all: t.all, any: t.any, some: t.some }}
          standard="all"
          value={count ? 'some' : join}
          onChange={(value) => set('join', value === 'some' ? `1 of ${inputs}` : value)}
        />
        {count && (
          <NumberSetting
            label={fill(t.joinCount, { of: inputs })}
            field="join"
            value={Number(count[1])}
            standard={undefined}
            most={inputs}
            onChange={(value) => set('join', `${value ?? 1} of ${inputs}`)}
          />
        )}
        {join !== 'all' && (
          <Choice
            label={t.losers}
            field="losers"
            options={{ ignore: t.ignore, cancel: t.cancel }}
            standard="ignore"
            value={spec.losers}
            onChange={(value) => set('losers', value as NodeSpec['losers'])}
          />
        )}
      </div>
    </Fieldset>
  );
}
