package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.safetensors.Dtype;
import java.util.Map;

/**
 * What people read about a saved adapter: the {@code README.md} beside it, with the front matter
 * that PEFT writes.
 *
 * @param baseModel the backbone's name or directory, as PEFT is to find it; one line
 * @param section Markdown that follows the facts about the adapter, such as a table of fairness
 *     figures; may be empty
 */
public record ModelCard(String baseModel, String section) {

    /** Refuses a name of several lines. */
    public ModelCard {
        checkArgument(baseModel.lines().count() <= 1, "the base model's name must be one line");
    }

    /**
     * A card without a section of its own.
     *
     * @param baseModel the backbone's name or directory, as PEFT is to find it; one line
     * @return a card
     */
    public static ModelCard of(String baseModel) {
        return new ModelCard(baseModel, "");
    }

    /**
     * The same card with a section.
     *
     * @param markdown Markdown
     * @return a card
     */
    public ModelCard withSection(String markdown) {
        return new ModelCard(baseModel, markdown);
    }

    /** The text of the file. */
    String render(LoraAdapter adapter, Dtype dtype) {
        StringBuilder text = new StringBuilder();
        text.append("---\n");
        text.append("base_model: ").append(quoted(baseModel)).append('\n');
        text.append("library_name: peft\n");
        text.append("tags:\n");
        text.append("- ").append(quoted("base_model:adapter:" + baseModel)).append('\n');
        text.append("- fairlora\n");
        text.append("- lora\n");
        text.append("---\n\n");
        text.append("# LoRA adapter\n\n");
        LoraConfig config = adapter.config();
        text.append("| | |\n|---|---|\n");
        row(text, "layers", Integer.toString(adapter.layers().size()));
        row(text, "rank", Integer.toString(config.rank()));
        row(text, "alpha", Double.toString(config.alpha()));
        row(
                text,
                "target modules",
                config.targetModules().isEmpty()
                        ? config.targets()
                        : String.join(", ", config.targetModules()));
        row(text, "saved modules", String.join(", ", adapter.savedModules().keySet()));
        row(text, "type", dtype.name());
        if (dtype == Dtype.F32) {
            row(text, "SHA-256", adapter.digest());
        }
        if (!adapter.provenance().isEmpty()) {
            text.append("\n## Provenance\n\n| | |\n|---|---|\n");
            for (Map.Entry<String, String> entry : adapter.provenance().entrySet()) {
                row(text, entry.getKey(), entry.getValue());
            }
        }
        if (!section.isBlank()) {
            text.append('\n').append(section.strip()).append('\n');
        }
        return text.toString();
    }

    private static void row(StringBuilder text, String key, String value) {
        text.append("| ").append(cell(key)).append(" | ").append(cell(value)).append(" |\n");
    }

    /** Keeps a value inside its cell. */
    private static String cell(String value) {
        return value.replace("\\", "\\\\").replace("|", "\\|").replaceAll("\\s+", " ");
    }

    /** A YAML string. */
    private static String quoted(String value) {
        return "'" + value.replace("'", "''") + "'";
    }
}
