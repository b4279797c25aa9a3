// What the example uses of Unity, with the types that its reference gives: enough to compile against, nothing works.
using System;
using System.Collections.Generic;

namespace UnityEngine
{
    public class Object { public string name; }
    public class ScriptableObject : Object { public static T CreateInstance<T>() where T : ScriptableObject => null; }
    public class Component : Object { public T GetComponent<T>() => default(T); }
    public class MonoBehaviour : Component { }
    public class RequireComponent : Attribute { public RequireComponent(Type component) { } }
    public static class JsonUtility { public static void FromJsonOverwrite(string json, object overwritten) { } }
    public static class Mathf
    {
        public static int CeilToInt(float value) => 0;
        public static int Clamp(int value, int least, int most) => 0;
    }
    public class AudioClip : Object
    {
        public int frequency => 0;
        public int channels => 0;
        public int samples => 0;
        public bool GetData(float[] data, int offsetSamples) => true;
    }
    public class AudioSource : Component
    {
        public AudioClip clip { get; set; }
        public bool isPlaying => false;
        public int timeSamples { get; set; }
        public void Play() { }
    }
    public static class Microphone
    {
        public static AudioClip Start(string device, bool loop, int lengthSec, int frequency) => null;
        public static int GetPosition(string device) => 0;
        public static void End(string device) { }
    }
    public class Mesh : Object
    {
        public int blendShapeCount => 0;
        public string GetBlendShapeName(int shape) => null;
    }
    public class SkinnedMeshRenderer : Component
    {
        public Mesh sharedMesh { get; set; }
        public void SetBlendShapeWeight(int shape, float weight) { }
    }
}

namespace UnityEditor.AssetImporters
{
    public class AssetImportContext { public void AddObjectToAsset(string identifier, UnityEngine.Object added) { } }
}

namespace Unity.InferenceEngine
{
    using UnityEditor.AssetImporters;

    public enum BackendType { CPU }
    public enum DataType { Float, Int }
    public struct TensorShape { public TensorShape(int length) { } }
    public struct DynamicTensorShape { public TensorShape ToTensorShape() => default(TensorShape); }
    public abstract class Tensor : IDisposable
    {
        public Tensor ReadbackAndClone() => null;
        public void Dispose() { }
    }
    public class Tensor<T> : Tensor where T : struct
    {
        public Tensor(TensorShape shape, bool clearOnInit = true) { }
        public Tensor(TensorShape shape, T[] data, int dataStartIndex = 0) { }
        public T[] DownloadToArray() => null;
    }
    public class ModelAsset : UnityEngine.ScriptableObject { }
    public class Model
    {
        public List<Input> inputs;
        public struct Input
        {
            public string name;
            public DataType dataType;
            public DynamicTensorShape shape;
        }
    }
    public static class ModelLoader { public static Model Load(ModelAsset asset) => null; }
    public class Worker : IDisposable
    {
        public Worker(Model model, BackendType backend) { }
        public void SetInput(string name, Tensor input) { }
        public void Schedule() { }
        public Tensor PeekOutput(string name) => null;
        public void Dispose() { }
    }
    public struct ONNXModelMetadata
    {
        public string ProducerName;
        public Dictionary<string, string> MetadataProps;
    }
    public interface IONNXMetadataImportCallbackReceiver
    {
        void OnMetadataImported(AssetImportContext context, ONNXModelMetadata metadata);
    }
}
