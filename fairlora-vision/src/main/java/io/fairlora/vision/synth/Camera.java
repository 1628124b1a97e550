package io.fairlora.vision.synth;

/**
 * Turns flat colours into a photograph: light on a rounded head, exposure, blur and noise. Blur is
 * relative to the size of the image, noise is per pixel.
 */
final class Camera {

    private static final long NOISE_STREAM = 2_000;

    private final FaceRecipe recipe;
    private final Head head;
    private final int width;
    private final int height;

    Camera(FaceRecipe recipe, Head head, int width, int height) {
        this.recipe = recipe;
        this.head = head;
        this.width = width;
        this.height = height;
    }

    /**
     * Takes the picture.
     *
     * @param scene what is behind the person, opaque
     * @param person the person, premultiplied with its opacity
     */
    void shoot(int[] scene, int[] person, byte[] target, int offset) {
        int area = width * height;
        float[] levels = new float[3 * area];
        light(scene, person, levels);
        double sigma = recipe.draw(Trait.BLUR, 0.2, 0.95);
        float[] across = kernel(sigma * width / 100);
        float[] down = kernel(sigma * height / 100);
        float[] blurred = new float[3 * area];
        for (int c = 0; c < 3; c++) {
            int plane = c * area;
            for (int y = 0; y < height; y++) {
                convolve(levels, blurred, plane + y * width, 1, width, across);
            }
            for (int x = 0; x < width; x++) {
                convolve(blurred, levels, plane + x, width, height, down);
            }
        }
        develop(levels, target, offset);
    }

    /** Lambertian light on an ellipsoid about the head; even light on what is behind. */
    private void light(int[] scene, int[] person, float[] levels) {
        int area = width * height;
        double side = recipe.get(FaceAttribute.LIGHT) == 0 ? -1 : 1;
        double angle = recipe.draw(Trait.LIGHT_ANGLE, 0.45, 1.15);
        float strength = (float) recipe.draw(Trait.LIGHT_STRENGTH, 0.32, 0.58);
        float lightX = (float) (side * Math.sin(angle) * 0.9);
        float lightY = -0.42f;
        float lightZ = (float) Math.cos(angle);
        float warmth = (float) recipe.draw(Trait.LIGHT_WARMTH, -0.07, 0.07);
        float[] tint = {1 + warmth, 1, 1 - warmth};
        float exposure = (float) recipe.draw(Trait.EXPOSURE, 0.88, 1.12);
        float ambient = 1 - 0.72f * strength;
        float centreX = (float) (head.centre() + recipe.draw(Trait.SHIFT_X, -4, 4));
        float centreY = (float) (50 + recipe.draw(Trait.SHIFT_Y, -3, 3));
        float radiusX = (float) head.halfWidth() + 9;
        float radiusY = 46;
        for (int y = 0; y < height; y++) {
            float ny = ((y + 0.5f) * 100 / height - centreY) / radiusY;
            for (int x = 0; x < width; x++) {
                float nx = ((x + 0.5f) * 100 / width - centreX) / radiusX;
                float out = Math.max(1, (float) Math.sqrt(nx * nx + ny * ny));
                float edgeX = nx / out;
                float edgeY = ny / out;
                float edgeZ = (float) Math.sqrt(Math.max(0, 1 - edgeX * edgeX - edgeY * edgeY));
                float facing = edgeX * lightX + edgeY * lightY + edgeZ * lightZ;
                float gain = Math.max(0.42f, ambient + strength * facing);
                int at = y * width + x;
                int front = person[at];
                int back = scene[at];
                float open = 1 - (front >>> 24) / 255f;
                for (int c = 0; c < 3; c++) {
                    int shift = 16 - 8 * c;
                    float level = gain * (front >> shift & 0xFF) + open * (back >> shift & 0xFF);
                    levels[c * area + at] = exposure * tint[c] * level;
                }
            }
        }
    }

    private void develop(float[] levels, byte[] target, int offset) {
        int area = width * height;
        float amplitude = (float) recipe.draw(Trait.NOISE, 2, 11) / 1024;
        long seed = Mixing.mix(recipe.variation(), NOISE_STREAM);
        for (int at = 0; at < area; at++) {
            long bits = Mixing.mix(seed, at);
            for (int c = 0; c < 3; c++) {
                // The sum of two uniform numbers: triangular, near enough to a sensor's noise.
                int sum = (int) (bits & 0x3FF) + (int) (bits >>> 10 & 0x3FF) - 1023;
                bits >>>= 20;
                float level = levels[c * area + at] + amplitude * sum;
                target[offset + c * area + at] =
                        (byte) (level <= 0 ? 0 : level >= 255 ? 255 : (int) (level + 0.5f));
            }
        }
    }

    private static float[] kernel(double sigma) {
        int radius = (int) Math.ceil(2.5 * sigma);
        float[] half = new float[radius + 1];
        float sum = 0;
        for (int i = 0; i <= radius; i++) {
            half[i] = (float) Math.exp(-i * i / (2 * sigma * sigma));
            sum += i == 0 ? half[i] : 2 * half[i];
        }
        for (int i = 0; i <= radius; i++) {
            half[i] /= sum;
        }
        return half;
    }

    /** One row or column, edges repeated. */
    private static void convolve(
            float[] from, float[] to, int start, int stride, int count, float[] half) {
        for (int i = 0; i < count; i++) {
            float sum = half[0] * from[start + i * stride];
            for (int k = 1; k < half.length; k++) {
                int before = Math.max(0, i - k);
                int after = Math.min(count - 1, i + k);
                sum += half[k] * (from[start + before * stride] + from[start + after * stride]);
            }
            to[start + i * stride] = sum;
        }
    }
}
