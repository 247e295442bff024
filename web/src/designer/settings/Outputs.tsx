import { Text } from '@mantine/core';
import { apply, useEditor } from '@/editor/store';
import { withField } from '@/graph/change';
import type { GraphSpec, JsonObject } from '@/graph/model';
import { words } from '@/text/language';
import { usePanel } from '../panel/context';
import { MapControl } from '../panel/form/MapControl';
import { Problems, useProblems } from '../panel/Problems';

const t = words.graphSettings;

/** What a run of the graph gives: expressions by name. */
export function Outputs() {
  const { editor } = usePanel();
  const outputs = useEditor(editor, (state) => state.history.graph.outputs);
  const problems = useProblems('outputs', true);
  return (
    <>
      <Text id="graph-outputs" size="sm" c="dimmed">
        {t.outputsHint}
      </Text>
      <MapControl
        path={['outputs']}
        field={{
          kind: 'map',
          schema: { additionalProperties: true },
          nullable: false,
          expressions: true,
          options: [],
          language: 'text',
        }}
        label={t.outputs}
        labelId="graph-outputs"
        describedBy=""
        required={false}
        invalid={false}
        value={outputs}
        standard={undefined}
        write={(value, merge = null) =>
          apply(
            editor,
            t.outputs,
            (graph: GraphSpec) => withField(graph, 'outputs', value as JsonObject | undefined),
            merge && `outputs#${merge}`,
          )
        }
      />
      <Problems problems={problems} />
    </>
  );
}
