package io.fairlora.lora;

/**
 * A text that can be read a limited number of times. A regular expression from a file may backtrack
 * for longer than anyone waits; on such a text it fails instead.
 */
final class BoundedText implements CharSequence {

    private static final int MAX_READS = 1_000_000;

    private final String text;
    private int reads;

    BoundedText(String text) {
        this.text = text;
    }

    @Override
    public char charAt(int index) {
        if (++reads > MAX_READS) {
            throw new IllegalArgumentException(
                    "a regular expression takes too long to match " + text);
        }
        return text.charAt(index);
    }

    @Override
    public int length() {
        return text.length();
    }

    @Override
    public CharSequence subSequence(int start, int end) {
        return text.substring(start, end);
    }

    @Override
    public String toString() {
        return text;
    }
}
