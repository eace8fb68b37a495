"""What is learning? 8 minutes. After: -."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="1. What is learning?")


@app.cell
def setup():
    import fastnn
    import marimo as mo
    import numpy as np
    from fastnn.learn import lesson

    return fastnn, lesson, mo, np


@app.cell
def title(mo):
    mo.md("""
    # 1. What is learning?

    442 people with diabetes were measured: their body mass index, and how far the disease had gone
    a year later. Can the second number be predicted from the first? You will try by hand, with two
    sliders. Then the machine tries, and you will see that it does nothing that you did not do.

    8 minutes. You need to know what a straight line is, and what a mean is.
    """)
    return


@app.cell
def data(mo, np):
    from sklearn.datasets import load_diabetes

    _people = load_diabetes(scaled=False)
    bmi = _people.data[:, 2]
    x = ((bmi - bmi.mean()) / bmi.std())[:, np.newaxis]
    y = _people.target[:, np.newaxis] / 100
    mo.md(f"""
    ## The data

    - **x**: the body mass index. The mean is {bmi.mean():.1f} and the standard deviation
      {bmi.std():.1f} kg/m²; we count in standard deviations from the mean, so x = 1 is
      {bmi.mean() + bmi.std():.1f} kg/m².
    - **y**: how far the disease went in a year, a score between {y.min():.2f} and {y.max():.2f}
      (hundreds of points).

    The model is a line. It has two **parameters**, and they are all that can be learnt:

    ```
    prediction = slope * x + bias
    ```

    One number says how wrong a line is, the **loss**: for each person the error, prediction minus
    y, squared (the L2 loss); then the mean over all {len(x)} people.

    ```
    loss(slope, bias) = mean of (slope * x + bias - y)²
    ```
    """)
    return bmi, x, y


@app.cell
def question(mo):
    no_line = "No: people with the same x have different y, and a line gives them one prediction."
    prediction = mo.ui.radio(
        options=[
            "Yes, for one right choice of slope and bias.",
            "Yes, but only if one trains for very long.",
            no_line,
        ],
        label="**Predict first.** Can the loss of a line become 0 on these people?",
    )
    prediction
    return no_line, prediction


@app.cell
def sliders(lesson, mo, prediction):
    lesson.predict_first(mo, prediction)
    slope = mo.ui.slider(-1.0, 1.5, 0.05, value=-0.5, label="slope", show_value=True)
    bias = mo.ui.slider(0.0, 3.0, 0.05, value=0.5, label="bias", show_value=True)
    learn = mo.ui.switch(label="let it learn from here")
    trail = []
    mo.vstack(
        [
            mo.md("""
            ## Find the best line

            Move the sliders until the loss is as small as you can make it. On the right you see
            the loss of *every* line: dark is small. Blue is the way that you went. Then let the
            machine walk from where you stand.
            """),
            mo.hstack([slope, bias, learn], justify="start", gap=2, wrap=True),
        ]
    )
    return bias, learn, slope, trail


@app.cell
def walking(fastnn, np, x, y):
    def loss_of(slope, bias):
        return np.mean((slope * x + bias - y) ** 2)

    def walk(slope, bias, steps):
        """Return the parameters before and after each step of the library, and their losses."""
        model = fastnn.Sequential(
            [fastnn.layers.Dense(1, name="line")], input_shape=1, dtype="float64", seed=0
        )
        model.compile(optimizer=fastnn.optimizers.SGD(0.1), loss="mse")
        model.set_weights([[[slope]], [bias]])
        path = [(slope, bias)]
        for _ in range(steps):
            model.train_steps(1, x, y, batch_size=len(x))
            kernel, offset = model.get_weights()
            path.append((kernel.item(), offset.item()))
        return np.array(path)

    least = y.var() * (1 - np.corrcoef(x.ravel(), y.ravel())[0, 1] ** 2)
    return least, loss_of, walk


@app.cell
def picture_line_and_bowl(bias, learn, lesson, loss_of, np, slope, trail, walk, x, y):
    _here = (slope.value, bias.value)
    if _here not in trail[-1:]:
        trail.append(_here)
    _path = walk(*_here, 25) if learn.value else np.array([_here])
    _slopes, _biases = np.meshgrid(np.linspace(-1, 1.5, 41), np.linspace(0, 3, 41))
    # the loss of every line of the grid: the mean over people runs along the last axis
    _bowl = np.mean((_slopes[..., None] * x.T + _biases[..., None] - y.T) ** 2, axis=-1)
    _ends = np.array([x.min(), x.max()])

    def _draw(line, bowl):
        line.plot(x, y, ".", color=lesson.GREY, alpha=0.4)
        line.plot(_ends, _here[0] * _ends + _here[1], label="yours")
        if learn.value:
            line.plot(_ends, _path[-1, 0] * _ends + _path[-1, 1], "--", label="learnt")
        line.set(xlabel="x: body mass index", ylabel="y: score", title="The line")
        line.legend(loc="upper left")
        _levels = bowl.contourf(_slopes, _biases, _bowl, levels=12, cmap="Greys_r")
        bowl.figure.colorbar(_levels, label="loss")
        bowl.plot(*np.transpose(trail), "o-", color=lesson.BLUE, markersize=4)
        if learn.value:
            bowl.plot(*_path.T, "o-", color=lesson.ORANGE, markersize=4)
        bowl.set(xlabel="slope", ylabel="bias", title="The loss of every line")

    _learnt = f" 25 steps lead to {loss_of(*_path[-1]):.3f}." if learn.value else ""
    lesson.figure(
        _draw,
        alt=f"Left: people as points with your line. Right: the loss of every line, a round bowl, "
        f"with the way you went. Loss here: {loss_of(*_here):.3f}.{_learnt}",
        columns=2,
    )
    return


@app.cell
def loss_here(bias, learn, loss_of, mo, slope, walk):
    _end = walk(slope.value, bias.value, 25)[-1]
    _learnt = (
        f" After 25 steps: slope {_end[0]:.3f}, bias {_end[1]:.3f}, loss **{loss_of(*_end):.4f}**."
        if learn.value
        else ""
    )
    mo.md(f"Your loss: **{loss_of(slope.value, bias.value):.4f}**.{_learnt}")
    return


@app.cell
def answer(least, lesson, mo, no_line, prediction, y):
    lesson.reveal(
        mo,
        prediction,
        no_line,
        f"""The best line has a loss of {least:.3f}. A flat line at the mean of y, which knows
        nothing, has {y.var():.3f}, the variance of y. What is left is what body mass index does
        not say about these people.""",
    )
    return


@app.cell
def words(mo):
    mo.md("""
    ## What the machine did

    It stood on a slope, asked which way is up, and took a step down. Again, and again.

    - **Gradient**: for each parameter, how fast the loss grows when that parameter grows.
    - **Step** (or iteration): every parameter moves against its gradient:
      new = old - rate * gradient. The **rate** here is 0.1.
    - **Batch**: the people whose mean loss is used for one step. Here all of them; usually few.
    - **Epoch**: one pass over all people. In batches of b it takes n / b steps, rounded up, as the
      last batch may be short.

    That is learning: **make the mean loss over the examples small**. The name for it is *empirical
    risk minimisation*. "Empirical" is a warning: the mean is over the people we have. Whether it
    says something about people whom we have not met must be measured on people held back.
    """)
    return


@app.cell
def library_title(mo):
    mo.md("""
    ## In the library

    A layer with one unit is a line. `compile` says how to learn, `fit` learns.
    """)
    return


@app.cell
def library(fastnn, mo, x, y):
    model = fastnn.Sequential(
        [fastnn.layers.Dense(1, kernel_initializer="zeros")],
        input_shape=1,
        dtype="float64",
        seed=0,
    )
    model.compile(optimizer=fastnn.optimizers.SGD(0.1), loss="mse")
    model.fit(x, y, epochs=100, batch_size=len(x), verbose=0)
    learnt = [weight.item() for weight in model.get_weights()]
    mo.show_code(f"slope {learnt[0]:.6f}, bias {learnt[1]:.6f}", position="above")
    return (learnt,)


@app.cell
def plain_python_title(mo):
    mo.md("""
    ## The same in plain Python

    A model of two parameters needs no library. The gradient of a squared error is twice the error,
    times x for the slope and times 1 for the bias.
    """)
    return


@app.cell
def plain_python(mo, np, x, y):
    w, b = 0.0, 0.0
    for _ in range(100):
        error = w * x + b - y
        w_gradient = np.mean(2 * error * x)
        b_gradient = np.mean(2 * error)
        w, b = w - 0.1 * w_gradient, b - 0.1 * b_gradient
    mo.show_code(f"slope {w:.6f}, bias {b:.6f}", position="above")
    return b, w


@app.cell
def the_same(b, learnt, mo, w):
    mo.md(f"""
    They took the same 100 steps. The largest difference between their numbers is
    {max(abs(learnt[0] - w), abs(learnt[1] - b)):.0e}.
    """)
    return


@app.cell
def differences(fastnn, loss_of, mo, x, y):
    at, h = (1.0, 1.0), 1e-4
    _model = fastnn.Sequential([fastnn.layers.Dense(1)], input_shape=1, dtype="float64", seed=0)
    _model.compile(loss="mse").set_weights([[[at[0]]], [at[1]]])
    analytic = [g.item() for g in _model.gradients(x, y)[1].values()]
    numeric = [
        (loss_of(at[0] + h, at[1]) - loss_of(at[0] - h, at[1])) / (2 * h),
        (loss_of(at[0], at[1] + h) - loss_of(at[0], at[1] - h)) / (2 * h),
    ]
    mo.md(f"""
    ## Do you believe the gradient?

    You can measure it. Move the slope a little to both sides and see how the loss changes:

    ```
    (loss(slope + h, bias) - loss(slope - h, bias)) / 2h
    ```

    At slope 1 and bias 1, with h = {h}, this **central difference** gives {numeric[0]:.6f} for the
    slope and {numeric[1]:.6f} for the bias. The library's formula gives {analytic[0]:.6f} and
    {analytic[1]:.6f}. Measuring takes two losses for every parameter. The formula gives the
    gradients of all parameters for the price of a few losses; with a million parameters that
    matters.
    """)
    return analytic, numeric


@app.cell
def break_it(mo):
    shuffled = mo.ui.switch(label="shuffle the scores among the people")
    mo.vstack(
        [
            mo.md("""
            ## Break it

            Give every person the score of somebody else, and learn again.
            """),
            shuffled,
        ]
    )
    return (shuffled,)


@app.cell
def broken(fastnn, np, x, y):
    _model = fastnn.Sequential([fastnn.layers.Dense(1)], input_shape=1, dtype="float64", seed=0)
    _model.compile(optimizer=fastnn.optimizers.SGD(0.1), loss="mse")
    _others = np.random.default_rng(0).permutation(y)
    _model.fit(x, _others, epochs=100, batch_size=len(x), verbose=0)
    chance_slope, chance_loss = _model.get_weights()[0].item(), _model.evaluate(x, _others)["loss"]
    return chance_loss, chance_slope


@app.cell
def what_broke(chance_loss, chance_slope, mo, shuffled, y):
    mo.stop(not shuffled.value)
    mo.md(f"""
    Training ran without a complaint, and the loss fell until it could fall no further: to
    {chance_loss:.3f}. But that is the variance of y, {y.var():.3f}, what you get by always saying
    the mean. The slope is {chance_slope:.3f}, almost flat. **Learning finds only what the data
    hold, and it does not tell you when they hold nothing.** You have to compare with a model that
    knows nothing.
    """)
    return


@app.cell
def mistake(analytic, mo, x):
    mo.md(f"""
    ## Spot the mistake

    > "The gradient is large and positive, so the minimum is near, on the left."

    Only "on the left" is right. At slope 1 and bias 1 the gradient of the slope is
    {analytic[0]:.2f}. Many books add the squared errors up instead of taking their mean: then it
    is {analytic[0] * len(x):.0f}, at the same place, with the same minimum. The sign of a gradient
    tells the direction. Its size is a rise per unit of parameter, in the units of the loss; it is
    no distance.
    """)
    return


@app.cell
def exercise_1(lesson, mo, x):
    exercise_1 = lesson.Exercise(
        "1.1",
        f"We train on these {len(x)} people for 5 epochs, in batches of 100. How many steps is it?",
        answer=5 * -(-len(x) // 100),
        hint="The last batch of an epoch is short, but it is a batch, and it makes a step.",
        why="An epoch has four batches of 100 and one of 42: five steps.",
    )
    answer_1 = exercise_1.ask(mo)
    answer_1
    return answer_1, exercise_1


@app.cell
def verdict_1(answer_1, exercise_1, mo):
    exercise_1.verdict(mo, answer_1.value)
    return


@app.cell
def exercise_2(lesson, loss_of, mo):
    _low, _high = round(loss_of(0.9, 1.5), 3), round(loss_of(1.1, 1.5), 3)
    exercise_2 = lesson.Exercise(
        "1.2",
        f"With bias 1.5, the loss is {_low} at slope 0.9 and {_high} at slope 1.1. About how large"
        " is the gradient of the slope at slope 1?",
        answer=(_high - _low) / 0.2,
        tolerance=0.02,
        hint="By how much did the loss grow, and how far is it from 0.9 to 1.1?",
        why="The loss grew by that much over 0.2: divide.",
    )
    answer_2 = exercise_2.ask(mo)
    answer_2
    return answer_2, exercise_2


@app.cell
def verdict_2(answer_2, exercise_2, mo):
    exercise_2.verdict(mo, answer_2.value)
    return


@app.cell
def read_on(mo):
    mo.md("""
    To read on: I. Goodfellow, Y. Bengio, A. Courville, *Deep Learning*,
    [chapter 5, Machine learning basics](https://www.deeplearningbook.org/contents/ml.html).
    """)
    return


@app.cell
def facts(analytic, b, chance_slope, fastnn, learnt, least, lesson, np, numeric, w, x, y):
    _best = np.linalg.lstsq(np.hstack([x, np.ones_like(x)]), y, rcond=None)[0].ravel()
    _counted = fastnn.Sequential([fastnn.layers.Dense(1)], input_shape=1, seed=0)
    _counted.compile(optimizer="sgd", loss="mse").fit(x, y, epochs=30, batch_size=32, verbose=0)
    _found = np.mean((_best[0] * x + _best[1] - y) ** 2)
    facts = [
        lesson.Fact(
            "learnt slope and bias differ from least squares by",
            np.abs(np.subtract(learnt, _best)).max(),
            "<",
            1e-3,
        ),
        lesson.Fact(
            "steps of 30 epochs in batches of 32 are epochs times ceil(n / batch)",
            _counted.progress.step,
            "==",
            30 * -(-len(x) // 32),
        ),
        lesson.Fact(
            "gradient and central difference differ, relative to the gradient, by",
            np.max(np.abs(np.subtract(analytic, numeric)) / np.abs(analytic)),
            "<",
            1e-4,
        ),
        lesson.Fact(
            "plain Python and the library differ by",
            np.abs(np.subtract(learnt, [w, b])).max(),
            "<",
            1e-12,
        ),
        lesson.Fact("the smallest loss of a line", _found, "in", (0.385, 0.395)),
        lesson.Fact(
            "it differs from variance times (1 - correlation²) by", abs(_found - least), "<", 1e-12
        ),
        lesson.Fact("slope learnt from shuffled scores", abs(chance_slope), "<", 0.1),
    ]
    lesson.check(facts)
    return (facts,)


if __name__ == "__main__":
    app.run()
