package io.fairlora.training;

import ai.djl.ndarray.BaseNDManager;
import ai.djl.ndarray.NDManager;
import java.lang.reflect.Field;
import java.util.Map;

/** Counts what a manager holds, for tests of leaks. */
public final class Handles {

    private Handles() {}

    /** The arrays and managers that a manager and all managers under it hold. */
    public static int of(NDManager manager) {
        try {
            Field field = BaseNDManager.class.getDeclaredField("resources");
            field.setAccessible(true);
            int count = 0;
            for (Object resource : ((Map<?, ?>) field.get(manager)).values()) {
                count += 1 + (resource instanceof NDManager child ? of(child) : 0);
            }
            return count;
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("DJL keeps a manager's resources elsewhere", e);
        }
    }
}
