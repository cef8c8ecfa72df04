// The presets of IGR Sample: choosing one shows its settings in the widgets, and changing a setting selects "custom".

const CUSTOM = "custom";

/** Presets in a node's definition: settings by widget name, by preset. */
export function presetsOf(definition) {
    const input = { ...definition?.input?.required, ...definition?.input?.optional }.preset;
    return input?.[1]?.presets ?? null;
}

/** Keep the preset consistent with the widgets whose values it sets. Loading a workflow does not trigger the callbacks. */
export function followPresets(node, presets) {
    const widgets = new Map(node.widgets?.map((widget) => [widget.name, widget]));
    const preset = widgets.get("preset");
    if (!preset || !presets) return;
    const names = Object.keys(Object.values(presets)[0] ?? {});
    let filling = false; // some frontends call a widget's callback when its value is set
    onChange(preset, (value) => {
        filling = true;
        try {
            for (const [name, setting] of Object.entries(presets[value] ?? {})) {
                if (widgets.has(name)) widgets.get(name).value = setting;
            }
        } finally {
            filling = false;
        }
        node.setDirtyCanvas?.(true, true);
    });
    for (const name of names) {
        const widget = widgets.get(name);
        if (widget) onChange(widget, (value) => {
            if (!filling && presets[preset.value] && presets[preset.value][name] !== value) preset.value = CUSTOM;
        });
    }
}

/** Call `then` with the new value after a widget's own callback. */
function onChange(widget, then) {
    const before = widget.callback;
    widget.callback = function (value) {
        const returned = before?.apply(this, arguments);
        then(value);
        return returned;
    };
}
